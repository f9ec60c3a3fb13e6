"""A VM dies when nobody runs it and no ioctl is under way; notifiers may be, and may still come."""

import pytest

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import HostOp, Op, Scenario
from stage2fuzz.events import CALL, CALL_CODE, CALL_DESTROY, CALL_UNMAP, INVALIDATE_BEGIN
from stage2fuzz.run import run
from stage2fuzz.schedule.base import Run, Schedule

SCENARIO = Scenario(hosts=((HostOp(Op.TEARDOWN),), (HostOp(Op.MOVE), HostOp(Op.AGE))))


@pytest.mark.parametrize("engine", ["model:v5.10", "model:v5.15", "model:v6.12"])
@pytest.mark.parametrize(
    ("order", "unmaps", "late"),
    [
        (((0, 99), (2, 99), (1, 99)), 1, False),  # the notifier first
        (((0, 99), (1, 99), (2, 99)), 0, True),  # the VM first
        (((0, 99), (2, 2), (1, 99), (2, 99)), 0, True),  # the VM dies under a notifier
    ],
)
def test_a_notifier_finds_a_dead_vm_and_leaves_it(
    engine: str, order: tuple[Run, ...], unmaps: int, late: bool
) -> None:
    outcome = run(Case(engine, SCENARIO, Schedule(order)))
    assert {each.signature for each in outcome.violations} == set()
    calls = [(e[0], e[5] & CALL_CODE if e[0] == CALL else 0) for e in outcome.events]
    destroyed = calls.index((CALL, CALL_DESTROY))
    assert calls.count((CALL, CALL_UNMAP)) == unmaps
    assert (CALL, CALL_UNMAP) not in calls[destroyed:]
    assert (calls.index((INVALIDATE_BEGIN, 0)) > destroyed) is late
