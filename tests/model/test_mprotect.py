"""mprotect as the kernel has it: rights that change, either way, run a notifier; else none does."""

import os

import pytest

from stage2fuzz import events as ev
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Access, Host, HostOp, HostPage, Op, Scenario, Slot
from stage2fuzz.run import run
from stage2fuzz.schedule.base import FOREVER, Schedule

TREE = os.environ.get("STAGE2FUZZ_KERNEL_TREE", "")
ENGINES = [
    "model:v5.10",
    "model:v6.12",
    pytest.param(
        f"kernel:{TREE}",
        marks=[pytest.mark.kernel, pytest.mark.skipif(not TREE, reason="needs a kernel tree")],
        id="kernel",
    ),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("first", "ops", "notifiers"),
    [
        (Host.RW, (Op.PROTECT, Op.UNPROTECT), 2),
        (Host.RW, (Op.PROTECT, Op.PROTECT), 1),
        (Host.RW, (Op.UNPROTECT,), 0),
        (Host.R, (Op.UNPROTECT, Op.UNPROTECT), 1),
    ],
)
def test_a_notifier_runs_for_each_change_of_rights(
    engine: str, first: Host, ops: tuple[Op, ...], notifiers: int
) -> None:
    scenario = Scenario(
        (Slot(1),), ((Access(0, 0),),), (tuple(HostOp(op) for op in ops),), (HostPage(0, first),)
    )
    events = run(Case(engine, scenario, Schedule(((0, FOREVER), (1, FOREVER))))).events
    begun = [
        event
        for event in events
        if event[0] == ev.CALL and event[5] & ev.CALL_CODE == ev.CALL_INVALIDATE_START
    ]
    assert len(begun) == notifiers
