"""mprotect as the kernel has it: rights that change, either way, run a notifier; else none does."""

import os

import pytest

from stage2fuzz import events as ev
from stage2fuzz.arch import PAGE_SIZE
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Access, Host, HostOp, HostPage, Op, Scenario, Slot, page_of
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
    assert len(ranges(engine, scenario)) == notifiers


def ranges(engine: str, scenario: Scenario) -> list[tuple[int, int]]:
    """First page and pages of each notifier."""
    events = run(Case(engine, scenario, Schedule(((0, FOREVER), (1, FOREVER))))).events
    return [
        (page_of(event[2]), event[3] // PAGE_SIZE)
        for event in events
        if event[0] == ev.CALL and event[5] & ev.CALL_CODE == ev.CALL_INVALIDATE_START
    ]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("readonly", "op", "notifiers"),
    [
        ((0,), Op.PROTECT, [(1, 3)]),
        ((1,), Op.PROTECT, [(0, 1), (2, 2)]),
        ((0, 2), Op.PROTECT, [(1, 1), (3, 1)]),
        ((0,), Op.UNPROTECT, [(0, 1)]),
        ((1, 2), Op.UNPROTECT, [(1, 2)]),
    ],
)
def test_pages_whose_rights_stay_are_another_vma_and_have_no_notifier(
    engine: str, readonly: tuple[int, ...], op: Op, notifiers: list[tuple[int, int]]
) -> None:
    pages = tuple(HostPage(page, Host.R) for page in readonly)
    scenario = Scenario((Slot(4),), ((Access(0, 0),),), ((HostOp(op, 0, 4),),), pages)
    assert ranges(engine, scenario) == notifiers


@pytest.mark.parametrize("engine", ENGINES)
def test_a_range_is_followed_to_its_end(engine: str) -> None:
    scenario = Scenario((Slot(512),), ((Access(0, 0),),), ((HostOp(Op.PROTECT, 3, 300),),))
    assert ranges(engine, scenario) == [(3, 300)]
