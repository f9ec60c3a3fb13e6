"""user_mem_abort and the map path: the kernel's order, and what the series changes in it."""

import pytest

from stage2fuzz.arch import PTE_PERMISSIONS, PTE_VALID, READ, WRITE, describe, is_table
from stage2fuzz.case.scenario import Access, Backing, HostOp, Op, Options, Scenario, Slot
from stage2fuzz.events import (
    ALLOC,
    CALL,
    CALL_CODE,
    CALL_MAP,
    CALL_RELAX,
    EAGAIN,
    ENOMEM,
    FAULT,
    FREE,
    LOCK,
    LOCK_MMAP,
    LOCK_MMU,
    MARK_DIRTY,
    ORDER_RELEASE,
    PIN,
    QUIESCENT,
    RESUME,
    RETURN,
    SEQ_READ,
    STORE,
    TLBI,
    TLBI_OPERATION,
    TLBI_VMALLS12E1,
    TOPUP,
    UNLOCK,
    WARN,
    WARN_BUG,
    WARN_MEMORY_CACHE,
)
from stage2fuzz.model.machine.memcache import GFP_ATOMIC
from stage2fuzz.schedule.base import FOREVER, Run
from tests.model.scenarios import MAP_RACE, events_of, trace

ONE_WRITE = Scenario(slots=(Slot(logging=True),), vcpus=((Access(WRITE, 0),),))
RACE: tuple[Run, ...] = ((0, 7), (1, 1 << 20))
"""vCPU 0 is about to take mmu_lock for its write when vCPU 1's read fault goes first."""


def kinds(revision: str, scenario: Scenario, interesting: tuple[int, ...]) -> list[int]:
    return [event[0] for event in trace(revision, scenario).events if event[0] in interesting]


def test_a_fault_reads_the_sequence_before_the_page_and_the_page_before_the_lock() -> None:
    order = kinds("v5.12", ONE_WRITE, (FAULT, TOPUP, SEQ_READ, PIN, MARK_DIRTY, RESUME))
    assert order == [FAULT, TOPUP, SEQ_READ, PIN, MARK_DIRTY, RESUME]
    locks = [e[2] for e in events_of(LOCK, trace("v5.12", ONE_WRITE).events)]
    assert locks == [LOCK_MMAP, LOCK_MMU]


@pytest.mark.parametrize(("revision", "first"), [("v5.10", MARK_DIRTY), ("v5.10+p3", CALL)])
def test_patch_3_moves_the_dirty_mark_behind_the_map(revision: str, first: int) -> None:
    assert kinds(revision, ONE_WRITE, (MARK_DIRTY, CALL))[0] == first


def test_the_mark_of_patch_3_is_still_under_the_lock() -> None:
    order = kinds("v5.12", ONE_WRITE, (MARK_DIRTY, UNLOCK))
    assert order == [UNLOCK, MARK_DIRTY, UNLOCK]


def test_leaves_carry_the_bits_that_the_authors_traces_show() -> None:
    stores = events_of(STORE, trace("v5.10", MAP_RACE, *RACE).events)
    leaves = [event[4] & 0xFFF for event in stores if event[4] & 1 and event[4] & 0x400]
    assert leaves == [0x77F, 0x7FF]
    assert "rw-" in describe(stores[-1][4], 3)


def test_v5_10_breaks_a_leaf_that_differs_in_permissions_only() -> None:
    events = trace("v5.10", MAP_RACE, *RACE).events
    broken = [e for e in events_of(STORE, events) if e[3] & 1 and not e[4] & 1]
    assert len(broken) == 1
    assert len(events_of(TLBI, events)) == 2


def test_patch_2_writes_nothing_and_lets_the_loser_relax() -> None:
    events = trace("v5.12", MAP_RACE, *RACE).events
    assert -EAGAIN in [event[4] for event in events_of(RETURN, events)]
    calls = [event[5] & CALL_CODE for event in events_of(CALL, events)]
    assert calls == [CALL_MAP, CALL_MAP, CALL_RELAX]
    rewritten = [e for e in events_of(STORE, events) if e[3] & 1]
    assert len(rewritten) == 1
    assert (rewritten[0][3] ^ rewritten[0][4]) & ~PTE_PERMISSIONS == 0


def test_patch_2_alone_exits_to_user_space_where_patch_3_re_enters() -> None:
    alone = events_of(RESUME, trace("v5.10+p2", MAP_RACE, *RACE).events)
    both = events_of(RESUME, trace("v5.12", MAP_RACE, *RACE).events)
    assert -EAGAIN in [event[4] for event in alone]
    assert {event[4] for event in both} == {1}


def test_series_v1_takes_write_away_for_execute_and_v4_keeps_it() -> None:
    scenario = Scenario(slots=(Slot(logging=True),), vcpus=((Access(WRITE, 0),), (Access(4, 0),)))
    late_exec: tuple[Run, ...] = ((1, 7), (0, 30))
    for revision, rights in (("series-v1", "r-x"), ("series-v4", "rwx")):
        stores = events_of(STORE, trace(revision, scenario, *late_exec).events)
        in_place = [event[4] for event in stores if event[3] & 1]
        assert rights in describe(in_place[0], 3)


@pytest.mark.parametrize("revision", ["v5.10!no-topup", "v6.12!no-topup"])
def test_an_empty_cache_warns_and_the_reserve_serves(revision: str) -> None:
    events = trace(revision, Scenario(slots=(Slot(1),), vcpus=((Access(WRITE, 0),),))).events
    assert [event[5] for event in events_of(WARN, events)] == [WARN_MEMORY_CACHE] * 2
    assert [event[5] for event in events_of(ALLOC, events)] == [GFP_ATOMIC] * 2
    assert events_of(RESUME, events)[-1][4] == 1
    assert events[-1][0] == QUIESCENT


@pytest.mark.parametrize("revision", ["v5.10!no-topup", "v6.12!no-topup"])
def test_where_the_reserve_is_empty_too_the_kernel_stops(revision: str) -> None:
    dry = Scenario(
        slots=(Slot(1),),
        vcpus=((Access(WRITE, 0),), (Access(READ, 0),)),
        options=Options(failing_atomic=True),
    )
    for _ in range(2):  # the engine goes on after it
        ended = trace(revision, dry)
        assert [event[5] for event in events_of(WARN, ended.events)] == [
            WARN_MEMORY_CACHE,
            WARN_BUG,
        ]
        assert ended.ended == "crash"
        assert ended.events[-1][0] == WARN


def test_a_failed_topup_ends_the_fault_before_the_page_is_marked() -> None:
    options = Options(failing_topup=1)
    failing = Scenario(slots=(Slot(logging=True),), vcpus=((Access(WRITE, 0),),), options=options)
    for revision in ("v5.10", "v5.10+p3", "v6.12"):
        events = trace(revision, failing).events
        assert events_of(RESUME, events)[-1][4] == -ENOMEM
        assert not events_of(MARK_DIRTY, events)


@pytest.mark.parametrize("cache_pages", [0, 1, 2, 3])
def test_a_topup_that_succeeds_is_enough_for_its_fault(cache_pages: int) -> None:
    options = Options(ipa_bits=48, cache_pages=cache_pages)
    scenario = Scenario(slots=(Slot(1),), vcpus=((Access(WRITE, 0),),), options=options)
    assert not events_of(WARN, trace("v5.10", scenario).events)


@pytest.mark.parametrize(
    ("backing", "pages", "level"), [(Backing.PMD, 512, 2), (Backing.PUD, 1 << 18, 1)]
)
def test_a_huge_backing_gives_a_block(backing: Backing, pages: int, level: int) -> None:
    scenario = Scenario(slots=(Slot(pages, backing),), vcpus=((Access(READ, 0),),))
    events = trace("v5.10", scenario).events
    assert f"block {('', '1G', '2M')[level]}" in describe(events_of(STORE, events)[-1][4], level)


@pytest.mark.parametrize("slot", [Slot(512, Backing.PMD, skewed=True), Slot(4, Backing.PMD)])
def test_a_slot_that_is_skewed_or_too_small_gets_pages(slot: Slot) -> None:
    scenario = Scenario(slots=(slot,), vcpus=((Access(READ, 0),),))
    events = trace("v5.10", scenario).events
    assert "page " in describe(events_of(STORE, events)[-1][4], 3)


def test_logging_splits_a_block() -> None:
    scenario = Scenario(
        slots=(Slot(512, Backing.PMD),),
        vcpus=((Access(READ, 0),), (Access(WRITE, 0),)),
        hosts=((HostOp(Op.LOG_ENABLE),),),
    )
    events = trace("v5.12", scenario, (0, FOREVER), (2, FOREVER), (1, FOREVER)).events
    split = [e for e in events_of(STORE, events) if is_table(e[4], 2) and e[3]]
    assert [(describe(e[3] | PTE_VALID, 2)[:8], e[5]) for e in split] == [
        ("block 2M", ORDER_RELEASE)
    ]


def test_a_table_is_merged_into_a_block_once_logging_is_off() -> None:
    scenario = Scenario(
        slots=(Slot(512, Backing.PMD, logging=True),),
        vcpus=((Access(WRITE, 0),), (Access(READ, 1),)),
        hosts=((HostOp(Op.LOG_DISABLE),),),
    )
    events = trace("v5.12", scenario, (0, FOREVER), (2, FOREVER), (1, FOREVER)).events
    last = events_of(STORE, events)[-1]
    assert describe(last[4], 2).startswith("block 2M")
    flushes = [e[5] & TLBI_OPERATION for e in events_of(TLBI, events)]
    assert flushes == [TLBI_VMALLS12E1]
    assert len(events_of(FREE, events)) == 1


def test_an_access_outside_every_slot_exits_as_mmio() -> None:
    scenario = Scenario(slots=(Slot(4),), vcpus=((Access(READ, 512),),))
    resumed = events_of(RESUME, trace("v5.10", scenario).events)
    assert [(event[4], event[5]) for event in resumed] == [(0, 1)]


def test_a_write_to_a_read_only_slot_exits_as_mmio() -> None:
    scenario = Scenario(slots=(Slot(readonly=True),), vcpus=((Access(WRITE, 0),),))
    assert events_of(RESUME, trace("v5.10", scenario).events)[0][4] == 0
