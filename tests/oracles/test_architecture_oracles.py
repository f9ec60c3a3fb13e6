"""A1 to A9: what the architecture asks of every change to a table."""

import pytest

from stage2fuzz.arch import PTE_MEMATTR
from stage2fuzz.events import (
    ALLOC,
    CALL_UNMAP,
    CONTEXT,
    DSB,
    DSB_ISH,
    DSB_ISHST,
    ORDER_PLAIN,
    ROOT,
    ROOT_ZEROS_LATE,
    TLBI,
    TLBI_IPAS2E1,
    TLBI_VMALLE1,
    tlbi_aux,
)
from tests.oracles.story import HOST, IPA, L2, L3, LINK1, Story, leaf

FULL = ("dsb", "stage 2", "dsb ish", "stage 1", "dsb ish")


def flush(story: Story, thread: int, *steps: str) -> None:
    """The named steps of an invalidation, and no others."""
    story.add(CONTEXT, thread, old=0, new=1)
    for step in steps:
        if step == "stage 2":
            story.add(TLBI, thread, IPA, 0, 1, tlbi_aux(TLBI_IPAS2E1, True, 3))
        elif step == "stage 1":
            story.add(TLBI, thread, 0, 0, 1, tlbi_aux(TLBI_VMALLE1, True))
        else:
            story.add(DSB, thread, aux=DSB_ISHST if step == "dsb" else DSB_ISH)
    story.add(CONTEXT, thread, old=1, new=0)


def moved(*steps: str) -> Story:
    """Break the leaf, flush with ``steps``, make one that points elsewhere."""
    story = Story()
    story.mapped(0)
    story.store(1, L3, leaf("rw") & ~1)
    flush(story, 1, *steps)
    story.store(1, L3, leaf("rw", HOST + 0x1000))
    return story


def test_a_first_fault_done_right_breaks_no_rule() -> None:
    story = Story()
    story.mapped(0)
    story.access(0)
    story.quiescent()
    assert story.judge() == {}


def test_a_leaf_may_get_other_permissions_in_place_but_no_other_address() -> None:
    story = Story()
    story.mapped(0, "r")
    story.store(1, L3, leaf("rw"))
    assert "A1" not in story.judge()
    changed = story.store(1, L3, leaf("rw", HOST + 0x1000))
    violation = story.judge()["A1"]
    assert violation.events == (changed,)
    assert violation.verdict == (
        "vCPU 1 changed page 0x1000000000 rw- AF to page 0x1000001000 rw- AF at IPA 0x40000000 in "
        "place: another output address needs an invalid entry, a TLBI and its DSBs in between"
    )


def test_two_read_only_pages_may_be_swapped_in_place() -> None:
    story = Story()
    story.mapped(0, "r")
    story.store(1, L3, leaf("r", HOST + 0x1000))
    assert "A1" not in story.judge()


def test_the_memory_type_never_changes_in_place() -> None:
    story = Story()
    story.mapped(0, "r")
    story.store(1, L3, leaf("r") & ~PTE_MEMATTR | 1 << 2)
    assert "memory type" in story.judge()["A1"].signature


def test_the_full_sequence_satisfies_a2_and_a3() -> None:
    found = moved(*FULL).judge()
    assert not {"A2", "A3", "A4", "A5", "A6"} & found.keys()


@pytest.mark.parametrize(
    ("left_out", "missing"),
    [
        (0, "a DSB before the TLBI"),
        (1, "a TLBI of this entry"),
        (2, "a DSB between the stage-2 and the stage-1 TLBI"),
        (3, "a stage-1 TLBI"),
        (4, "a DSB after the last TLBI"),
    ],
)
def test_each_step_of_the_break_is_missed(left_out: int, missing: str) -> None:
    steps = [step for at, step in enumerate(FULL) if at != left_out]
    violation = moved(*steps).judge()["A2"]
    assert violation.verdict == (
        "vCPU 1 made the entry of IPA 0x40000000 valid again, but since vCPU 1 broke it "
        f"{missing} is missing"
    )


def test_a_stale_leaf_that_points_elsewhere_is_a_multi_hit() -> None:
    violation = moved("dsb").judge()["A3"]
    assert violation.verdict == (
        "vCPU 1 installed page 0x1000001000 rw- AF for IPA 0x40000000 while vCPU 0 may still hold "
        "page 0x1000000000 rw- AF: two translations of one address that differ in output address"
    )


def test_a_stale_leaf_with_other_permissions_is_no_multi_hit() -> None:
    story = Story()
    story.mapped(0, "r")
    story.store(1, L3, leaf("rw"))
    assert "A3" not in story.judge()


def test_a_flush_of_the_wrong_page_leaves_the_removed_one() -> None:
    story = Story()
    story.mapped(0)
    story.lock(3)
    story.call(3, CALL_UNMAP)
    story.store(3, L3, leaf("rw") & ~1)
    story.flush(3, IPA + 0x1000)
    story.put(3, L3)
    story.returned(3, CALL_UNMAP)
    violation = story.judge()["A4"]
    assert violation.verdict == (
        "host thread 3 removed the page at IPA 0x40000000 and completed a TLBI by IPA, but the "
        "entry itself (IPA 0x40000000) may still be cached"
    )


def test_leaves_below_a_removed_table_need_a_flush_of_their_own() -> None:
    for whole in (False, True):
        story = Story()
        story.mapped(0)
        story.lock(1)
        story.call(1)
        story.store(1, L2, L3 & ~1)
        if whole:
            story.flush_all(1)
        else:
            story.flush(1, IPA + 0x1000, 2)
        story.store(1, L2, HOST | leaf("rw") & ~2)
        assert ("A4" in story.judge()) is not whole


def test_stage_1_waits_for_stage_2() -> None:
    assert "A5" not in moved(*FULL).judge()
    violation = moved("dsb", "stage 2", "stage 1", "dsb ish").judge()["A5"]
    assert violation.verdict.startswith(
        "vCPU 1 issued the stage-1 TLBI while its stage-2 TLBI of IPA 0x40000000 was not complete"
    )


def test_a_tlbi_in_the_hosts_context_hits_nothing() -> None:
    story = Story()
    story.add(TLBI, 1, IPA, 0, 1, tlbi_aux(TLBI_IPAS2E1, True))
    assert story.judge()["A6"].verdict == (
        "vCPU 1 issued a TLBI for VMID 1 while VTTBR_EL2 held the host's VMID: the guest's entries "
        "were not touched"
    )


def test_a_table_is_zeroed_before_it_is_linked() -> None:
    story = Story()
    story.add(ALLOC, 0, L2)
    story.store(0, LINK1, L2 | 3)
    assert "before it was zeroed" in story.judge()["A7"].verdict


def test_a_plain_link_needs_a_barrier() -> None:
    for barrier in (False, True):
        story = Story()
        story.table(0, LINK1, L2)
        story.events.pop()
        if barrier:
            story.add(DSB, 0, aux=DSB_ISHST)
        story.memory.clear()
        story.store(0, LINK1, L2 | 3, ORDER_PLAIN)
        assert ("A7" in story.judge()) is not barrier


def test_the_zeros_of_the_root_are_ordered_before_its_use() -> None:
    for late in (0, ROOT_ZEROS_LATE):
        story = Story()
        kind, thread, page, level, vmid, bits = story.events[0]
        assert kind == ROOT
        story.events[0] = (kind, thread, page, level, vmid, bits | late)
        assert ("A7" in story.judge()) is bool(late)


def test_one_call_shows_walkers_no_third_state() -> None:
    story = Story()
    story.mapped(0)
    story.call(1)
    for host in (HOST, HOST + 0x1000):
        story.store(1, L3, 0)
        story.flush(1)
        story.store(1, L3, leaf("rw", host))
    violation = story.judge()["A8"]
    assert "in the same call" in violation.verdict


@pytest.mark.parametrize(
    ("where", "value", "signature"),
    [
        (L3, leaf("r") & ~2, "reserved encoding"),
        (L2, leaf("r", HOST + 0x1000) & ~2, "misaligned block"),
        (L2, LINK1 & -4096 | 3, "table linked twice"),
    ],
)
def test_an_entry_has_an_encoding_and_a_table_one_parent(
    where: int, value: int, signature: str
) -> None:
    story = Story()
    story.tables(0)
    assert "A9" not in story.judge()
    story.store(0, L2, 0)
    if where == L3:
        story.store(0, L2, L3 | 3)
    story.store(0, where, value)
    assert signature in story.judge()["A9"].signature
