"""The tests' own generators draw whatever a case can say; what they leave out nobody tests."""

from collections.abc import Iterable
from dataclasses import fields
from random import Random

import pytest
from hypothesis import find

from stage2fuzz.case.scenario import Op, Options, Scenario
from tests.case.case_strategies import options
from tests.model.scenarios import any_scenario

NAMES = [each.name for each in fields(Options)]
PLAIN = Options()
NOT_DRAWN = {"nested", "vncr", "dirty_ring"}
"""No model has guests of guests; a ring shows one known fault in nearly every run."""


def changed(drawn: Iterable[Options]) -> set[str]:
    """The options that are not always as by default."""
    return {name for each in drawn for name in NAMES if getattr(each, name) != getattr(PLAIN, name)}


def test_each_option_leaves_its_default_in_random_scenarios() -> None:
    drawn: list[Scenario] = [any_scenario(Random(seed)) for seed in range(300)]
    assert changed(each.options for each in drawn) == set(NAMES) - NOT_DRAWN
    assert {one.op for each in drawn for host in each.hosts for one in host} == set(Op)


@pytest.mark.parametrize("name", NAMES)
def test_each_option_leaves_its_default_in_generated_cases(name: str) -> None:
    assert name in changed([find(options, lambda drawn: name in changed([drawn]))])
