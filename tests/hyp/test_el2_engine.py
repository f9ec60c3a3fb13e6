"""EL2 of a tree: it starts, cases replay, unmodified code is silent, a planted fault is not."""

import re
from itertools import islice
from pathlib import Path

import pytest

from stage2fuzz.case.case import Case
from stage2fuzz.case.el2 import HypOp
from stage2fuzz.errors import InputError
from stage2fuzz.events import HYPERCALL_RETURN, SETTLED
from stage2fuzz.hyp.adapter import SMOKE, HypEngine
from stage2fuzz.hyp.build import missing
from stage2fuzz.hyp.draw import PURPOSES, draw_scenarios
from stage2fuzz.hyp.faults import EL2_FAULTS
from stage2fuzz.hyp.proof import proved
from stage2fuzz.kernel.abi import S2Event
from stage2fuzz.kernel.explore import explore
from stage2fuzz.run import judge_run, run
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.schedule.random_walk import RandomWalk
from stage2fuzz.studies.el2 import explore_el2, run_el2_mutants

FOUND = ("unshare-any", "load-dying")
"""Faults of the ordinary run; the others take minutes."""


def test_faults_have_names_of_their_own_and_patterns_that_compile() -> None:
    assert len({fault.name for fault in EL2_FAULTS}) == len(EL2_FAULTS) >= 30
    for fault in EL2_FAULTS:
        for edit in (edit for way in fault.ways for edit in way):
            re.compile(edit.pattern)


def test_a_tree_without_el2_is_refused_and_says_why(tmp_path: Path) -> None:
    assert "no arch/arm64/kvm/hyp/pgtable.c" in missing(tmp_path)
    with pytest.raises(InputError, match=r"no arch/arm64/kvm/hyp/pgtable\.c"):
        proved(tmp_path)


@pytest.mark.kernel
def test_the_proof_got_every_call_through(el2: HypEngine) -> None:
    trace = el2.run(SMOKE, Schedule())
    results = [event[4] for event in trace.events if event[0] == HYPERCALL_RETURN]
    assert results == [0] * sum(map(len, SMOKE.cpus))
    assert el2.native.started() == 0


@pytest.mark.kernel
def test_a_run_is_a_function_of_its_schedule(el2: HypEngine) -> None:
    for number, scenario in enumerate(PURPOSES):
        trace = el2.run(scenario, number + 1)
        again = el2.run(scenario, trace.schedule)
        assert (again.events, again.schedule) == (trace.events, trace.schedule)
        assert any(event[0] == SETTLED for event in trace.events)
        walked = el2.run(scenario, RandomWalk(number))
        assert el2.run(scenario, walked.schedule).events == walked.events


@pytest.mark.kernel
def test_unmodified_code_breaks_no_rule(el2: HypEngine) -> None:
    totals = list(explore_el2(el2, "hyp:tree", 3, 800, 60.0))[-1]
    assert totals.schedules == 800
    assert totals.classes > 50
    assert totals.found == {}
    assert totals.inconclusive == 0


@pytest.mark.kernel
def test_what_c_passes_over_the_oracles_are_content_with(el2: HypEngine) -> None:
    objected = 0
    for number, scenario in enumerate(islice(draw_scenarios(2), 40)):
        for seen in explore(el2.native, scenario, 1, 10, number):
            told = [S2Event(e[0], e[1], e[5], e[2], e[3], e[4]) for e in seen.trace.events]
            events = (S2Event * len(told))(*told)
            objects = el2.native.library.s2_suspects(events, len(events), 0)
            objected += objects
            assert objects or not judge_run(el2, scenario, seen.trace)
    assert objected == 0


@pytest.mark.kernel
def test_every_call_succeeds_in_some_case(el2: HypEngine) -> None:
    done = set()
    for number, scenario in enumerate(islice(draw_scenarios(1), 150)):
        for seed in range(3):
            events = el2.run(scenario, 7 * number + seed).events
            done |= {event[5] for event in events if event[0] == HYPERCALL_RETURN and not event[4]}
    assert set(HypOp) - {HypOp(op) for op in done} <= {HypOp.RECLAIM_GFN}


@pytest.mark.kernel
@pytest.mark.slow
def test_each_planted_fault_is_found_and_replays(el2_tree: Path, tmp_path: Path) -> None:
    results = {each.fault: each for each in run_el2_mutants(el2_tree, tmp_path, FOUND)}
    assert {name for name, each in results.items() if each.found_by} == set(FOUND)


@pytest.mark.kernel
def test_the_door_that_every_case_goes_through_knows_el2(el2_tree: Path, el2: HypEngine) -> None:
    outcome = run(Case(f"hyp:{el2_tree}", PURPOSES[2]))
    assert (outcome.ended, outcome.violations) == ("finished", ())
    assert outcome.case.build == el2.build
