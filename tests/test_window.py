"""The window TLB gives the verdicts of the litmus shapes it was designed for."""

import pytest

from stage2fuzz.arch import PTE_ADDRESS, PTE_AF, PTE_READ, PTE_VALID, PTE_WRITE
from stage2fuzz.events import (
    DSB_ISH,
    DSB_ISHST,
    DSB_NSH,
    TLBI_ALLE1,
    TLBI_IPAS2E1,
    TLBI_VMALLE1,
    TLBI_VMALLS12E1,
    tlbi_aux,
)
from stage2fuzz.window import STALE_DEPTH, Window

IPA = 0x4000_0000
PAGE = 0x1000_0000_0000
LEAF = 0x2000_0000
"""Location of the last-level entry."""
ENTRY = 0x2100_0000
"""Location of the level-2 entry above it."""
OLD = PAGE | PTE_AF | PTE_READ | PTE_WRITE | 3
NEW = (PAGE + 0x5000) | PTE_AF | PTE_READ | 3
TABLE = (LEAF & PTE_ADDRESS) | 3
BY_IPA = tlbi_aux(TLBI_IPAS2E1, True)
STAGE1 = tlbi_aux(TLBI_VMALLE1, True)
BOTH = tlbi_aux(TLBI_VMALLS12E1, True)


def broken() -> Window:
    """Two PEs; the leaf was just made invalid."""
    window = Window(2)
    window.write(LEAF, 3, IPA, OLD, 0)
    return window


def flush(window: Window, *steps: int, thread: int = 0) -> None:
    """Issue and complete each TLBI in turn."""
    for aux in steps:
        window.tlbi(thread, IPA, 0, aux)
        window.dsb(thread, DSB_ISH)


def test_nothing_is_stale_before_a_valid_entry_was_overwritten() -> None:
    window = Window(2)
    window.write(LEAF, 3, IPA, 0, OLD)
    assert not window
    assert window.may(0, LEAF, OLD) == (OLD,)
    assert window.leaves(1, IPA) == []


def test_a_cleared_entry_still_translates_without_a_tlbi() -> None:
    window = broken()
    for pe in (0, 1):
        assert tuple(window.may(pe, LEAF, 0)) == (0, OLD)
        assert window.leaves(pe, IPA) == [(OLD, 3)]
        assert window.leaves(pe, IPA + 0x1000) == []


def test_the_full_sequence_makes_every_pe_clean() -> None:
    window = broken()
    flush(window, BY_IPA, STAGE1)
    assert not window


@pytest.mark.parametrize(
    "steps",
    [(BY_IPA,), (STAGE1,), (STAGE1, BY_IPA)],
    ids=["stage 2 only", "stage 1 only", "stage 1 first"],
)
def test_one_half_of_the_flush_is_not_enough(steps: tuple[int, ...]) -> None:
    window = broken()
    flush(window, *steps)
    assert window.leaves(1, IPA) == [(OLD, 3)]


def test_stage_1_counts_only_if_stage_2_was_done_before_it_was_issued() -> None:
    window = broken()
    window.tlbi(0, IPA, 0, BY_IPA)
    window.tlbi(0, 0, 0, STAGE1)
    window.dsb(0, DSB_ISH)
    assert window.leaves(1, IPA) == [(OLD, 3)]


@pytest.mark.parametrize("operation", [TLBI_VMALLS12E1, TLBI_ALLE1])
def test_a_flush_of_both_stages_is_enough_alone(operation: int) -> None:
    window = broken()
    flush(window, tlbi_aux(operation, True))
    assert not window


@pytest.mark.parametrize("kind", [DSB_ISHST, DSB_NSH])
def test_only_dsb_ish_completes_a_broadcast_tlbi(kind: int) -> None:
    window = broken()
    window.tlbi(0, 0, 0, BOTH)
    window.dsb(0, kind)
    assert window.leaves(1, IPA) == [(OLD, 3)]
    window.dsb(1, DSB_ISH)
    assert window.leaves(1, IPA) == [(OLD, 3)], "another thread's barrier"
    window.dsb(0, DSB_ISH)
    assert not window


@pytest.mark.parametrize("first", [True, False])
def test_a_local_flush_leaves_the_other_pe_stale(first: bool) -> None:
    window = broken()
    local = tlbi_aux(TLBI_IPAS2E1, False)
    flush(window, local if first else BY_IPA, tlbi_aux(TLBI_VMALLE1, False))
    assert window.leaves(0, IPA) == []
    assert window.leaves(1, IPA) == [(OLD, 3)]


def test_a_local_flush_completes_with_dsb_nsh() -> None:
    window = Window(1)
    window.write(LEAF, 3, IPA, OLD, NEW)
    window.tlbi(0, 0, 0, tlbi_aux(TLBI_VMALLS12E1, False))
    window.dsb(0, DSB_NSH)
    assert not window


def test_a_tlbi_issued_before_the_write_is_no_help() -> None:
    window = broken()
    window.tlbi(0, 0, 0, BOTH)
    window.write(LEAF, 3, IPA, 0, NEW)
    window.write(LEAF, 3, IPA, NEW, 0)
    window.dsb(0, DSB_ISH)
    assert window.leaves(1, IPA) == [(NEW, 3)], "what came after the issue stays"


def test_a_new_entry_after_the_flush_is_the_only_one() -> None:
    window = broken()
    flush(window, BY_IPA, STAGE1)
    window.write(LEAF, 3, IPA, 0, NEW)
    assert window.may(1, LEAF, NEW) == (NEW,)


def test_candidates_come_from_current_to_oldest() -> None:
    window = Window(1)
    window.write(LEAF, 3, IPA, OLD, NEW)
    window.write(LEAF, 3, IPA, NEW, 0)
    assert tuple(window.may(0, LEAF, 0)) == (0, NEW, OLD)


def test_a_leaf_without_access_flag_is_never_cached() -> None:
    window = Window(1)
    window.write(LEAF, 3, IPA, OLD & ~PTE_AF, 0)
    assert not window


def test_the_wrong_page_is_not_flushed() -> None:
    window = broken()
    window.tlbi(0, IPA + 0x1000, 0, BY_IPA)
    window.dsb(0, DSB_ISH)
    flush(window, STAGE1)
    assert window.leaves(1, IPA) == [(OLD, 3)]


def test_a_range_flush_covers_each_page_of_the_range() -> None:
    window = broken()
    window.tlbi(0, IPA - 0x2000, 0x3000, BY_IPA)
    window.dsb(0, DSB_ISH)
    flush(window, STAGE1)
    assert not window


def test_a_wrong_level_hint_leaves_the_leaf() -> None:
    window = broken()
    flush(window, tlbi_aux(TLBI_IPAS2E1, True, level=2), STAGE1)
    assert window.leaves(0, IPA) == [(OLD, 3)]
    flush(window, tlbi_aux(TLBI_IPAS2E1, True, level=3), STAGE1)
    assert not window


def test_a_last_level_tlbi_keeps_table_entries() -> None:
    window = Window(1)
    window.write(ENTRY, 2, IPA, TABLE, 0)
    flush(window, tlbi_aux(TLBI_IPAS2E1, True, last_level_only=True), STAGE1)
    assert window.walker_of(LEAF & PTE_ADDRESS) == 0
    flush(window, BY_IPA)
    assert window.walker_of(LEAF & PTE_ADDRESS) == -1


def test_a_hint_at_the_level_of_a_table_counts_unless_the_rule_is_strict() -> None:
    for strict in (False, True):
        window = Window(1, strict_table_hints=strict)
        window.write(ENTRY, 2, IPA, TABLE, 0)
        flush(window, tlbi_aux(TLBI_IPAS2E1, True, level=2), STAGE1)
        assert bool(window) is strict


def test_a_walk_may_use_a_stale_table_entry_with_current_children() -> None:
    window = Window(1)
    window.write(ENTRY, 2, IPA, TABLE, 0)
    memory = {LEAF: NEW}
    assert window.leaves(0, IPA) == []
    assert window.leaves(0, IPA, lambda at: memory.get(at, 0)) == [(NEW, 3)]


def test_leaves_below_an_unlinked_table_need_a_flush_of_their_own() -> None:
    window = Window(1)
    below = [(LEAF, 3, IPA, OLD), (LEAF + 8, 3, IPA + 0x1000, OLD + 0x1000)]
    window.write(ENTRY, 2, IPA, TABLE, 0)
    window.unlink(below)
    flush(window, BY_IPA, STAGE1)
    assert window.leaves(0, IPA) == []
    assert window.leaves(0, IPA + 0x1000) == [(OLD + 0x1000, 3)]
    flush(window, BOTH)
    assert not window


def test_what_a_freed_table_page_held_survives_its_next_use() -> None:
    window = Window(1)
    window.unlink([(LEAF, 3, IPA, OLD)])
    window.write(LEAF, 3, IPA + 0x20_0000, NEW, 0)
    assert window.leaves(0, IPA) == [(OLD, 3)]
    assert window.leaves(0, IPA + 0x20_0000) == [(NEW, 3)]
    flush(window, BOTH)
    assert not window


def test_a_message_after_write_protect_and_flush_forbids_writing() -> None:
    window = Window(2)
    readonly = OLD & ~PTE_WRITE
    window.write(LEAF, 3, IPA, OLD, readonly)
    assert window.leaves(1, IPA) == [(OLD, 3)]
    flush(window, BOTH, thread=5)
    assert window.leaves(1, IPA) == []


def test_a_flush_by_a_host_thread_alone_cleans_no_vcpu_if_local() -> None:
    window = broken()
    flush(window, tlbi_aux(TLBI_VMALLS12E1, False), thread=2)
    assert window.leaves(0, IPA) == window.leaves(1, IPA) == [(OLD, 3)]


def test_the_depth_bound_forgets_the_oldest() -> None:
    window = Window(1)
    value = OLD
    for _ in range(STALE_DEPTH + 2):
        window.write(LEAF, 3, IPA, value, value + 0x1000)
        value += 0x1000
    assert len(window.may(0, LEAF, value)) == STALE_DEPTH
    flush(window, BOTH)
    assert not window


def test_equal_situations_have_equal_states() -> None:
    one, two = broken(), Window(2)
    two.write(LEAF, 3, IPA, OLD, 0)
    flush(two, BOTH)
    assert one.state() != two.state()
    two.write(LEAF, 3, IPA, OLD, 0)
    assert one.state() == two.state()
    assert OLD & PTE_VALID
