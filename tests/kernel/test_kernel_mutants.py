"""Planted faults: each pattern fits some tree, and a handful is found in the given one."""

import re
from pathlib import Path

import pytest

from stage2fuzz.case.limits import check_scenario
from stage2fuzz.kernel.faults import FAULTS
from stage2fuzz.kernel.nested_ground import NESTED_GROUND
from stage2fuzz.kernel.proving_ground import PROVING_GROUND
from stage2fuzz.studies.hunt.mutants import run_mutants


def test_faults_have_names_of_their_own_and_patterns_that_compile() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 25
    for fault in FAULTS:
        for edit in (edit for way in fault.ways for edit in way):
            re.compile(edit.pattern)


def test_every_scenario_in_which_faults_are_looked_for_is_a_case() -> None:
    for number, scenario in enumerate((*PROVING_GROUND, *NESTED_GROUND)):
        check_scenario(scenario, f"scenario {number}")
        assert scenario.vcpus


@pytest.mark.kernel
def test_the_classic_faults_are_found(tree: Path, cache: Path) -> None:
    names = ("no-retry-check", "wrprotect-keeps-write", "unmap-without-tlbi", "no-dirty-mark")
    results = list(run_mutants(tree, cache, names, rounds=1))
    assert [result.fault for result in results if result.planted and result.found_by] == [
        fault.name for fault in FAULTS if fault.name in names
    ]


@pytest.mark.kernel
@pytest.mark.slow
def test_every_fault_that_fits_the_tree_is_found(tree: Path, cache: Path) -> None:
    results = list(run_mutants(tree, cache))
    planted = [result for result in results if result.planted]
    assert len(planted) >= 25
    assert not [result.fault for result in planted if not result.found_by]
