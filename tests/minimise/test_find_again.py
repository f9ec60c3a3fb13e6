"""A fault found in a large scenario is looked for in smaller ones before anything is minimised."""

import pytest

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Access, Scenario, Slot
from stage2fuzz.run import Outcome, run, run_scheduled
from stage2fuzz.schedule import strategy
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.session.reproduce import find_again, minimise_finding, signatures

CROWD = Scenario(
    slots=(Slot(logging=True),),
    vcpus=tuple((Access(kind, 0), Access(READ, 0)) for kind in (WRITE, READ, EXECUTE)),
)
STUCK = "G1 progress: translation faults, page broken each time"
WINDOW = "G2 bounded faults: translation fault in another vCPU's break, page"


def shown(signature: str) -> Outcome:
    """The first run of the crowd that shows it."""
    for seed in range(200):
        outcome = run_scheduled("model:v5.10", CROWD, strategy("breaker", seed))
        if signature in signatures(outcome):
            return outcome
    raise AssertionError(signature)


@pytest.mark.parametrize("signature", [STUCK, WINDOW])
def test_a_fault_of_a_crowd_needs_two_vcpus_with_one_access_each(signature: str) -> None:
    case = shown(signature).case
    smallest = minimise_finding(case, signature)
    assert [len(program) for program in smallest.case.scenario.vcpus] == [1, 1]
    assert signature in signatures(run(smallest.case))
    if signature == WINDOW:
        assert smallest.preemptions == 2


def test_a_stall_is_left_with_few_rounds() -> None:
    case = shown(STUCK).case
    smallest = minimise_finding(case, STUCK)
    assert len(smallest.case.schedule.runs) <= 16 < len(case.schedule.runs)


def test_a_case_that_is_shorter_than_any_found_is_kept() -> None:
    scenario = Scenario(
        slots=(Slot(logging=True),), vcpus=((Access(WRITE, 0),), (Access(READ, 0),))
    )
    case = Case("model:v5.10", scenario, Schedule(((1, 5), (0, 60), (1, 60))))
    signature = signatures(run(case))[0]
    assert signature.startswith("C6")
    assert run(find_again(case, signature)).preemptions == run(case).preemptions == 1
