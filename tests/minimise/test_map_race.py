"""The map race of v5.10, minimised on the real engine: as small as the fault can be."""

from functools import lru_cache

import pytest

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Access, Host, HostPage, Options, Scenario, Slot
from stage2fuzz.minimise import Minimum, Recurrence, Same, minimise
from stage2fuzz.run import run, run_scheduled
from stage2fuzz.schedule import strategy
from stage2fuzz.schedule.base import FOREVER, Schedule

ENGINE = "model:v5.10"
BIG = Scenario(
    slots=(Slot(pages=512), Slot()),
    vcpus=(
        (Access(READ, 1), Access(EXECUTE, 2)),
        (Access(WRITE, 1), Access(WRITE, 2)),
        (Access(READ, 2), Access(READ, 0)),
    ),
    host_pages=(HostPage(0, Host.R),),
    options=Options(ipa_bits=48),
)


def same_signature(signature: str) -> Same:
    def same(case: Case) -> Recurrence | None:
        outcome = run(case)
        if signature not in (violation.signature for violation in outcome.violations):
            return None
        return Recurrence(outcome.schedule, outcome.preemptions)

    return same


@lru_cache
def found(oracle: str, name: str) -> tuple[Case, str]:
    """The first case in which a strategy breaks ``oracle``, and the signature of the fault."""
    made = strategy(name, 1)
    while True:
        outcome = run_scheduled(ENGINE, BIG, made)
        for violation in outcome.violations:
            if violation.oracle == oracle:
                return outcome.case, violation.signature


@lru_cache
def minimised(oracle: str, name: str) -> Minimum:
    case, signature = found(oracle, name)
    return minimise(case, same_signature(signature))


@pytest.mark.parametrize("name", ["random", "pct"])
def test_permission_taken_away_needs_two_vcpus_one_access_each_and_one_preemption(
    name: str,
) -> None:
    small = minimised("C6", name)
    assert [len(accesses) for accesses in small.case.scenario.vcpus] == [1, 1]
    assert small.preemptions == 1
    assert small.case.scenario.slots == (Slot(pages=1),)
    assert small.case.scenario.options == Options()
    assert small.finished


def test_fewer_preemptions_do_not_show_the_race() -> None:
    small = minimised("C6", "random")
    scenario = small.case.scenario
    for first in range(2):
        order = Case(ENGINE, scenario, Schedule(((first, FOREVER),)))
        assert all(violation.oracle != "C6" for violation in run(order).violations)


def test_the_minimised_case_replays_to_the_same_fault() -> None:
    _, signature = found("C6", "random")
    again = run(minimised("C6", "random").case)
    assert signature in [violation.signature for violation in again.violations]


def test_a_stall_keeps_only_the_preemptions_of_its_cycle() -> None:
    scenario = Scenario(vcpus=((Access(EXECUTE, 0),), (Access(WRITE, 0),)))
    made = strategy("breaker", 1)
    while True:
        outcome = run_scheduled(ENGINE, scenario, made)
        signatures = [v.signature for v in outcome.violations if v.oracle == "G1"]
        if signatures:
            break
    small = minimise(outcome.case, same_signature(signatures[0]))
    assert small.preemptions <= 8 < outcome.preemptions
