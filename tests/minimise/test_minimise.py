"""The result still shows the same fault, is never worse, and is the known minimum where one is."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stage2fuzz.arch import READ, WRITE
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Access, Host, HostPage, Options, Scenario, Slot
from stage2fuzz.errors import InputError
from stage2fuzz.minimise import Recurrence, minimise
from stage2fuzz.minimise.blocks import merge_blocks
from stage2fuzz.minimise.door import Door
from stage2fuzz.minimise.order import cost
from stage2fuzz.schedule.base import FOREVER, Schedule
from stage2fuzz.schedule.random_walk import RandomWalk
from tests.minimise.toy_cases import (
    counters,
    failing_case,
    loses_an_update,
    same_bug,
    same_lost_update,
    scenario_for,
)
from tests.schedule.programs import abba, lost_update, reorder, two_windows, window
from tests.schedule.toy import Program

RACE = Scenario(vcpus=((Access(WRITE, 0),), (Access(WRITE, 0),)))
MESSY = Scenario(
    slots=(Slot(pages=512, logging=True, readonly=True), Slot()),
    vcpus=(
        (Access(READ, 0), Access(WRITE, 2), Access(READ, 1)),
        (Access(READ, 2),),
        (Access(WRITE, 1), Access(WRITE, 2), Access(WRITE, 2)),
    ),
    host_pages=(HostPage(1, Host.R),),
    options=Options(ipa_bits=48, hardware_af=True),
)


def found(scenario: Scenario, seed: int) -> Case:
    return failing_case(
        scenario,
        counters(scenario),
        lambda result: loses_an_update(scenario, result),
        RandomWalk(seed),
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_messy_race_becomes_two_writes_and_one_preemption(seed: int) -> None:
    small = minimise(found(MESSY, seed), same_lost_update)
    assert small.case == Case(
        scenario=replace(RACE, slots=(Slot(pages=1),)), schedule=small.case.schedule
    )
    assert small.case.schedule == Schedule(((0, 1), (1, 1)))
    assert small.preemptions == 1
    assert small.finished


@pytest.mark.parametrize(
    ("program", "preemptions"),
    [
        (lost_update, 1),
        (window(10), 1),
        (window(50), 1),
        (reorder(3), 1),
        (reorder(7), 1),
        (abba(10), 1),
        (two_windows(10), 3),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_merging_blocks_reaches_the_known_minimum_of_preemptions(
    program: Program, preemptions: int, seed: int
) -> None:
    start = failing_case(
        scenario_for(program), program, lambda r: r.bug or r.deadlock, RandomWalk(seed)
    )
    door = Door(same_bug(program), 300)
    assert door.enter(start)
    while any(door.simpler(case) for case in merge_blocks(door.best, door.executed)):
        pass
    assert door.preemptions == preemptions
    assert not door.exhausted


@pytest.mark.slow
def test_a_schedule_of_a_thousand_runs_does_not_use_the_budget_up() -> None:
    program = window(700)
    start = failing_case(scenario_for(program), program, lambda r: r.bug, RandomWalk(0))
    small = minimise(start, same_bug(program))
    assert len(start.schedule.runs) > 1000
    assert (small.finished, small.preemptions, len(small.case.schedule.runs)) == (True, 1, 2)


accesses = st.builds(Access, st.sampled_from([READ, WRITE]), st.integers(0, 2))
vcpus = st.lists(st.lists(accesses, min_size=1, max_size=3).map(tuple), max_size=2)


@settings(max_examples=60, deadline=None)
@given(vcpus=vcpus.map(tuple), seed=st.integers(0, 99), budget=st.integers(1, 400))
def test_the_result_is_the_same_fault_and_never_greater(
    vcpus: tuple[Any, ...], seed: int, budget: int
) -> None:
    scenario = Scenario(vcpus=(*vcpus, *RACE.vcpus))
    case = found(scenario, seed)
    seen = same_lost_update(case)
    assert seen is not None
    small = minimise(case, same_lost_update, budget)
    again = same_lost_update(small.case)
    assert again is not None
    assert again.preemptions == small.preemptions
    assert cost(small.case, small.preemptions) <= cost(case, seen.preemptions)
    assert small.tries <= budget
    assert minimise(case, same_lost_update, budget) == small


def test_no_case_is_tried_twice() -> None:
    tried: list[Case] = []

    def same(case: Case) -> Recurrence | None:
        tried.append(case)
        return same_lost_update(case)

    small = minimise(found(MESSY, 3), same)
    assert len(tried) == len(set(tried)) == small.tries


def test_a_budget_that_ran_out_is_admitted_and_the_best_is_kept() -> None:
    start = found(MESSY, 1)
    small = minimise(start, same_lost_update, budget=12)
    assert not small.finished
    assert small.tries == 12
    assert same_lost_update(small.case) is not None


def test_an_endless_run_is_written_as_it_was_executed() -> None:
    case = Case(scenario=RACE, schedule=Schedule(((0, 1), (1, FOREVER), (0, FOREVER))))
    assert minimise(case, same_lost_update).case.schedule == Schedule(((0, 1), (1, 1)))


def test_a_case_that_does_not_fail_is_refused() -> None:
    with pytest.raises(InputError, match="does not show the fault"):
        minimise(Case(scenario=RACE), same_lost_update)


def test_fewer_threads_beat_fewer_operations_beat_fewer_preemptions() -> None:
    two, three = (
        Scenario(vcpus=((Access(READ, 0),) * 4,) * 2),
        Scenario(vcpus=((Access(READ, 0),),) * 3),
    )
    assert cost(Case(scenario=two), 9) < cost(Case(scenario=three), 0)
    fewer = Scenario(vcpus=((Access(READ, 0),) * 3,) * 2)
    assert cost(Case(scenario=fewer), 9) < cost(Case(scenario=two), 0)
    assert cost(Case(scenario=two), 1) < cost(Case(scenario=two), 2)


def test_the_order_tells_any_two_cases_apart() -> None:
    cases = [
        Case(scenario=RACE),
        Case(scenario=replace(RACE, options=Options(dic=True))),
        Case(scenario=replace(RACE, options=Options(fwb=True))),
        Case(scenario=replace(RACE, slots=(Slot(pages=2),))),
        Case(scenario=RACE, schedule=Schedule(((0, 1),))),
        Case(scenario=RACE, schedule=Schedule(((1, 1),))),
        Case(scenario=RACE, schedule=Schedule(choices=(1,))),
        Case(scenario=RACE, schedule=Schedule(choices=(0,))),
        Case(scenario=MESSY),
    ]
    assert len({cost(case, 0) for case in cases}) == len(cases)
