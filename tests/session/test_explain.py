"""Each rule is explained in words, and in pictures where the model has a fault that breaks it."""

import json

import pytest

from stage2fuzz.case.text import read_case
from stage2fuzz.errors import InputError
from stage2fuzz.oracles.catalogue import CATALOGUE
from stage2fuzz.run import run
from stage2fuzz.session.explain import EXAMPLES, explain, oracle_named
from tests.cli.terminal import command

PICTURED = sorted(path.stem for path in EXAMPLES.glob("*.case"))


@pytest.mark.parametrize("name", PICTURED)
def test_the_bad_case_breaks_the_rule_and_the_good_one_keeps_it(name: str) -> None:
    told = explain(name, run)
    assert told.broken is not None
    assert told.kept is not None
    assert [each.oracle for each in told.broken.violations] == [name] * len(told.broken.violations)
    assert told.broken.violations
    assert name not in {each.oracle for each in told.kept.violations}
    assert told.kept.case.scenario == read_case(EXAMPLES / f"{name}.case").scenario


@pytest.mark.parametrize("name", [row[0] for row in CATALOGUE])
def test_every_rule_has_reasons_beside_its_promise(name: str) -> None:
    assert len(str(oracle_named(name).__doc__).split()) >= 6


def test_most_rules_of_the_first_stage_have_pictures() -> None:
    mine = [row[0] for row in CATALOGUE if row[0][0] not in "HN" and row[0] != "CRASH"]
    assert len(PICTURED) >= 0.8 * len(mine)


def test_the_command_shows_both_runs() -> None:
    said = command("explain", "c6")
    assert said.code == 0
    assert said.out.startswith("C6 a fault never downgrades (correctness)")
    assert "broken, on model:v5.10:" in said.out
    assert "kept, on model:v5.12:" in said.out
    assert json.loads(command("explain", "H1", "--json").out)["broken"] == ""
    assert "there is no oracle" in command("explain", "Z9").refused()


def test_what_is_no_oracle_is_refused() -> None:
    with pytest.raises(InputError, match="there is no oracle"):
        oracle_named("C99")
