"""The ground of proofs, and the faults that a search of it must see."""

from pathlib import Path

import pytest

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.prove.ground import GROUND
from stage2fuzz.prove.sweep import SweepEnd, sweep


def test_each_scenario_of_the_ground_is_a_valid_case_of_its_own() -> None:
    assert len(set(GROUND.values())) == len(GROUND)
    for scenario in GROUND.values():
        assert parse(format_case(Case("model:v5.12", scenario)), "ground").scenario == scenario


@pytest.mark.kernel
@pytest.mark.slow
def test_planted_faults_are_refuted_on_the_ground(tree: Path, cache: Path) -> None:
    names = ("unmap-without-tlbi", "no-retry-check", "wrprotect-keeps-write")
    results = list(sweep(tree, cache, names, seconds=2, rounds=1))
    assert [each.verdict for each in results] == [SweepEnd.FOUND] * len(names)
    assert all(each.scenario in GROUND for each in results)
