"""v5.15 and v6.1 against v5.12: each named difference, and that it is one."""

import pytest

from stage2fuzz import events as ev
from stage2fuzz.arch import EXECUTE, PAGE_SIZE, PTE_VALID, READ, WRITE
from stage2fuzz.case.scenario import IPA_BASE, Access, Backing, HostOp, Op, Scenario, Slot
from stage2fuzz.events import Event
from stage2fuzz.model.engine import ModelEngine
from stage2fuzz.model.revision import parse_revision
from stage2fuzz.schedule.base import FOREVER
from stage2fuzz.schedule.random_walk import RandomWalk
from tests.model.scenarios import events_of, trace

MOVED = Scenario(vcpus=((Access(READ, 0),),), hosts=((HostOp(Op.MOVE),),))
LOGGED_AGAIN = Scenario(
    slots=(Slot(logging=True),),
    vcpus=((Access(READ, 0), Access(WRITE, 0)), (Access(READ, 0), Access(WRITE, 0))),
)
BLOCK = Scenario(
    slots=(Slot(pages=512, backing=Backing.PMD),),
    vcpus=((Access(READ, 0), Access(EXECUTE, 1)),),
)
HYP = Scenario(vcpus=((Access(READ, 0),),), hosts=((HostOp(Op.HYP_MAP),),))
LOG_ENDS = Scenario(
    slots=(Slot(logging=True),), vcpus=((Access(WRITE, 0),),), hosts=((HostOp(Op.LOG_DISABLE),),)
)


def runs(revision: str, scenario: Scenario) -> list[list[Event]]:
    """The events of many random schedules."""
    engine = ModelEngine(parse_revision(revision))
    return [engine.run(scenario, RandomWalk(seed)).events for seed in range(150)]


@pytest.mark.parametrize(("revision", "zero"), [("v5.12", False), ("v5.15", True), ("v6.1", True)])
def test_what_is_broken_is_zero(revision: str, zero: bool) -> None:
    events = trace(revision, MOVED, (0, FOREVER), (1, FOREVER)).events
    broken = [e[4] for e in events_of(ev.STORE, events) if e[3] & PTE_VALID]
    assert broken
    assert all((value == 0) == zero for value in broken)


@pytest.mark.parametrize(("revision", "together"), [("v5.15", False), ("v6.1", True)])
def test_while_logging_writes_to_pages_share_the_lock(revision: str, together: bool) -> None:
    shared = met = False
    for events in runs(revision, LOGGED_AGAIN):
        held = 0
        for kind, _thread, where, _old, _new, aux in events:
            if kind in (ev.LOCK, ev.UNLOCK) and where == ev.LOCK_MMU:
                held += 1 if kind == ev.LOCK else -1
                shared |= bool(aux)
                met |= held > 1
    assert (shared, met) == (together, together)


@pytest.mark.parametrize(("revision", "result"), [("v5.15", 0), ("v6.1", -ev.EINVAL)])
def test_a_refused_hyp_remap_is_an_error_from_v6_1(revision: str, result: int) -> None:
    events = trace(revision, HYP).events
    returned = [e[4] for e in events_of(ev.RETURN, events) if e[5] == ev.CALL_HYP_MAP]
    assert returned == [0, result]


@pytest.mark.parametrize(("revision", "flushed"), [("v5.12", 0), ("v5.15", 1), ("v6.1", 1)])
def test_a_permission_fault_of_a_block_keeps_its_size_and_its_address(
    revision: str, flushed: int
) -> None:
    events = trace(revision, BLOCK).events
    by_ipa = [e[2] for e in events_of(ev.TLBI, events) if e[2]]
    assert by_ipa == [IPA_BASE + flushed * PAGE_SIZE]


@pytest.mark.parametrize(("revision", "seen"), [("v5.12", False), ("v6.1", True)])
def test_the_page_is_marked_in_the_slot_that_the_fault_saw(revision: str, seen: bool) -> None:
    late = 0
    for events in runs(revision, LOG_ENDS):
        ends = next(i for i, event in enumerate(events) if event[:2] == (ev.SLOT, 1))
        late += len(events_of(ev.MARK_DIRTY, events[ends:]))
    assert bool(late) == seen
