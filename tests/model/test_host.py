"""The host's operations: what they refuse, and when they let others in."""

import pytest

from stage2fuzz import events as ev
from stage2fuzz.arch import PAGE_SIZE, READ, WRITE
from stage2fuzz.case.scenario import (
    GENERATION_STRIDE,
    GIB,
    HOST_BASE,
    Access,
    Backing,
    HostOp,
    Op,
    Options,
    Scenario,
    Slot,
    ipa_of,
)
from stage2fuzz.model.engine import ModelEngine
from stage2fuzz.model.revision import parse_revision
from stage2fuzz.schedule.base import FOREVER
from stage2fuzz.schedule.random_walk import RandomWalk
from tests.model.scenarios import events_of, trace


@pytest.mark.parametrize("revision", ["v5.10", "v6.12"])
def test_device_memory_is_never_logged(revision: str) -> None:
    scenario = Scenario(
        slots=(Slot(backing=Backing.DEVICE, logging=True),),
        vcpus=((Access(WRITE, 0),),),
        hosts=((HostOp(Op.LOG_ENABLE), HostOp(Op.LOG_GET)),),
    )
    events = trace(revision, scenario, (1, FOREVER), (0, FOREVER)).events
    assert [event[4] for event in events_of(ev.RETURN, events)][:2] == [-ev.EINVAL, -ev.ENOENT]
    assert not events_of(ev.MARK_DIRTY, events)


@pytest.mark.parametrize("revision", ["v5.10", "v6.12"])
def test_a_notifier_unmaps_nothing_beyond_the_slot(revision: str) -> None:
    scenario = Scenario(
        slots=(Slot(pages=2, backing=Backing.PMD),),
        vcpus=((Access(READ, 0),),),
        hosts=((HostOp(Op.MOVE),),),
    )
    events = trace(revision, scenario).events
    unmapped = [e[3] for e in events_of(ev.CALL, events) if e[5] == ev.CALL_UNMAP]
    assert unmapped == [2 * PAGE_SIZE]


@pytest.mark.parametrize(("revision", "cleaned"), [("v5.10", 3), ("v6.1", 2)])
@pytest.mark.parametrize("fwb", [False, True])
def test_guest_memory_is_cleaned_where_the_cpu_needs_it(
    revision: str, cleaned: int, fwb: bool
) -> None:
    scenario = Scenario(
        vcpus=((Access(READ, 0),),),
        hosts=((HostOp(Op.CHANGE_PTE),),),
        options=Options(fwb=fwb),
    )
    # By the fault and by the unmap; v5.10 cleans before it maps, which fails without a table here.
    events = trace(revision, scenario, (0, FOREVER), (1, FOREVER)).events
    assert len(events_of(ev.DCACHE_CLEAN, events)) == (0 if fwb else cleaned)


@pytest.mark.parametrize("revision", ["v5.10", "v6.12"])
@pytest.mark.parametrize(("first", "broken"), [(0, False), (1, True)])
def test_an_unmap_beyond_a_gib_lets_whoever_waits_in(
    revision: str, first: int, broken: bool
) -> None:
    scenario = Scenario(
        slots=(Slot(1 << 19),),
        vcpus=((Access(READ, 0),),),
        hosts=((HostOp(Op.MOVE, first, 1 << 18),),),
    )
    engine = ModelEngine(parse_revision(revision))
    let_in = 0
    for seed in range(400):
        holders = []
        for kind, thread, where, _old, _new, aux in engine.run(scenario, RandomWalk(seed)).events:
            if (kind, where) == (ev.LOCK, ev.LOCK_MMU):
                holders.append(thread)
            elif kind == ev.RETURN and aux == ev.CALL_INVALIDATE_START:
                let_in += holders[-3:] == [1, 0, 1]
    assert bool(let_in) == broken


@pytest.mark.parametrize("revision", ["v5.10", "v6.12"])
def test_a_notifier_unmaps_nothing_before_a_slot_that_begins_in_a_block(revision: str) -> None:
    scenario = Scenario(
        slots=(Slot(pages=512, backing=Backing.PMD, first=511),),
        vcpus=((Access(READ, 511),),),
        hosts=((HostOp(Op.MOVE, 511, 2),),),
    )
    events = trace(revision, scenario).events
    unmapped = [(e[2], e[3]) for e in events_of(ev.CALL, events) if e[5] == ev.CALL_UNMAP]
    assert unmapped == [(ipa_of(511), 512 * PAGE_SIZE)]


@pytest.mark.parametrize("revision", ["v5.10", "v6.12"])
def test_a_notifier_may_cover_any_range(revision: str) -> None:
    scenario = Scenario(
        slots=(Slot(pages=1024, backing=Backing.PMD),),
        vcpus=((Access(READ, 0), Access(READ, 512)),),
        hosts=((HostOp(Op.INVALIDATE, 300, 514),),),
    )
    events = trace(revision, scenario, (0, FOREVER), (1, FOREVER)).events
    unmapped = [(e[2], e[3]) for e in events_of(ev.CALL, events) if e[5] == ev.CALL_UNMAP]
    assert unmapped == [(ipa_of(300), 514 * PAGE_SIZE)]
    assert not events_of(ev.BACKING, events)[1:]


def test_who_may_not_sleep_keeps_the_lock() -> None:
    slots = (Slot(pages=1 << 19, backing=Backing.PUD),)
    contended = {}
    for op in (Op.INVALIDATE, Op.INVALIDATE_NONBLOCK):
        scenario = Scenario(
            slots=slots,
            vcpus=((Access(READ, 0),),),
            hosts=((HostOp(op, 0, 1 << 18), HostOp(op, 511, 1 << 18)),),
        )
        held = 0
        for seed in range(200):
            events = ModelEngine(parse_revision("v6.1")).run(scenario, RandomWalk(seed)).events
            held = max(
                held, len([e for e in events_of(ev.LOCK, events) if e[1:3] == (1, ev.LOCK_MMU)])
            )
        contended[op] = held
    assert contended == {Op.INVALIDATE: 5, Op.INVALIDATE_NONBLOCK: 4}


@pytest.mark.parametrize("revision", ["v5.10", "v6.1", "v6.12"])
def test_a_slot_that_was_deleted_comes_back_without_its_log(revision: str) -> None:
    scenario = Scenario(
        slots=(Slot(logging=True),),
        vcpus=((Access(WRITE, 0),),),
        hosts=((HostOp(Op.SLOT_CREATE), HostOp(Op.SLOT_DELETE), HostOp(Op.SLOT_CREATE)),),
    )
    events = trace(revision, scenario, (1, FOREVER), (0, FOREVER)).events
    published = [(bool(e[3]), e[4]) for e in events_of(ev.SLOT, events)]
    assert published == [(True, ev.SLOT_LOGGING), (False, ev.SLOT_LOGGING), (True, 0)]
    assert not events_of(ev.MARK_DIRTY, events)
    assert events_of(ev.ACCESS, events)


@pytest.mark.parametrize("revision", ["v5.10", "v6.1", "v6.12"])
def test_a_slot_moves_with_its_memory_and_comes_back(revision: str) -> None:
    scenario = Scenario(
        vcpus=((Access(READ, 1), Access(READ, GIB + 1), Access(READ, 1)),),
        hosts=((HostOp(Op.MOVE, 1), HostOp(Op.SLOT_MOVE), HostOp(Op.SLOT_MOVE)),),
    )
    # The page moves; the slot moves; the vCPU reads both places; the slot comes back.
    for seed in range(200):
        events = ModelEngine(parse_revision(revision)).run(scenario, RandomWalk(seed)).events
        published = [e[2] for e in events_of(ev.SLOT, events) if e[3]]
        assert published == [ipa_of(0), ipa_of(GIB), ipa_of(0)]
        read = {e[2]: e[4] for e in events_of(ev.ACCESS, events) if e[4]}
        assert len(set(read.values())) <= 2
        if ipa_of(GIB + 1) in read:
            break
    assert read[ipa_of(GIB + 1)] == HOST_BASE + GENERATION_STRIDE + PAGE_SIZE


@pytest.mark.parametrize("revision", ["v5.10", "v6.1", "v6.12"])
def test_a_huge_page_that_was_split_is_mapped_by_pages(revision: str) -> None:
    slots = (Slot(pages=512, backing=Backing.PMD),)
    program = ((Access(READ, 0), Access(READ, 1)),)

    def pages(*ops: HostOp) -> list[int]:
        scenario = Scenario(slots, program, (ops,))
        events = trace(revision, scenario, (1, FOREVER), (0, FOREVER)).events
        calls = events_of(ev.CALL, events)
        return [e[3] for e in calls if e[5] & ev.CALL_CODE == ev.CALL_MAP]

    split, move = HostOp(Op.THP_SPLIT), HostOp(Op.MOVE, 1)
    assert pages(HostOp(Op.MOVE, 1)) == [512 * PAGE_SIZE]
    assert pages(split) == [PAGE_SIZE, PAGE_SIZE] == pages(split, move)
    assert pages(split, move, HostOp(Op.THP_COLLAPSE)) == [512 * PAGE_SIZE]


@pytest.mark.parametrize(
    ("slot", "size"),
    [
        (Slot(512, Backing.PMD, hugetlb=True), 512),
        (Slot(511, Backing.PMD, hugetlb=True), 1),
        (Slot(1024, Backing.PMD, contiguous=True), 512),
        (Slot(100, contiguous=True), 1),
    ],
)
def test_hugetlb_of_any_size_is_mapped_by_what_fits(slot: Slot, size: int) -> None:
    for revision in ("v5.10", "v6.12"):
        events = trace(revision, Scenario((slot,), ((Access(READ, 1),),)), (0, FOREVER)).events
        (mapped,) = [e[3] for e in events_of(ev.CALL, events)]
        assert mapped == size * PAGE_SIZE


@pytest.mark.parametrize("fwb", [False, True])
def test_the_initialisation_of_a_vcpu_unmaps_memory_where_there_is_no_fwb(fwb: bool) -> None:
    scenario = Scenario(
        vcpus=((Access(READ, 0),),),
        hosts=((HostOp(Op.VCPU_INIT),),),
        options=Options(fwb=fwb),
    )
    for revision in ("v5.10", "v6.12"):
        events = trace(revision, scenario, (0, FOREVER), (1, FOREVER)).events
        unmaps = [e for e in events_of(ev.CALL, events) if e[5] == ev.CALL_UNMAP]
        assert len(unmaps) == (0 if fwb else 1)
