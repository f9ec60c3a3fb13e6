"""B1 to B5: what was taken away is out of everybody's reach."""

from stage2fuzz.events import (
    BACKING,
    CALL_INVALIDATE_START,
    CALL_UNMAP,
    FREE,
    LOAD,
    RCU_LOCK,
)
from stage2fuzz.rules import Rules
from tests.oracles.story import HOST, HOST_THREAD, IPA, L2, L3, Story, leaf

MOVED = HOST + (1 << 34)


def unmapped(flush: bool = True) -> Story:
    """A host thread unmaps the page that vCPU 0 mapped."""
    story = Story()
    story.mapped(0)
    story.call(HOST_THREAD, CALL_INVALIDATE_START)
    story.lock(HOST_THREAD)
    story.call(HOST_THREAD, CALL_UNMAP)
    story.store(HOST_THREAD, L3, leaf("rw") & ~1)
    if flush:
        story.flush(HOST_THREAD)
    story.put(HOST_THREAD, L3)
    return story


def test_an_unmap_that_flushes_breaks_no_rule() -> None:
    story = unmapped()
    story.returned(HOST_THREAD, CALL_UNMAP)
    story.unlock(HOST_THREAD)
    story.returned(HOST_THREAD, CALL_INVALIDATE_START)
    story.quiescent()
    assert story.judge() == {}


def test_an_unmap_without_a_flush_leaves_the_page_usable() -> None:
    story = unmapped(flush=False)
    story.returned(HOST_THREAD, CALL_UNMAP)
    assert story.judge()["B1"].verdict == (
        "kvm_pgtable_stage2_unmap of host thread 3 returned while vCPU 0 may still use "
        "page 0x1000000000 rw- AF for IPA 0x40000000"
    )


def test_a_linked_table_is_not_freed() -> None:
    story = Story()
    story.mapped(0)
    story.add(FREE, 1, L3)
    assert story.judge()["B2"].verdict == (
        "vCPU 1 freed table 0x10003000 while an entry still links it"
    )


def test_a_table_is_freed_only_when_no_walk_cache_has_it() -> None:
    for flush in (False, True):
        story = unmapped()
        story.store(HOST_THREAD, L2, L3 & ~1)
        if flush:
            story.flush(HOST_THREAD, level=2)
        story.add(FREE, HOST_THREAD, L3)
        assert ("B2" in story.judge()) is not flush
        assert "B2" in story.judge(Rules(strict_table_hints=True))


def test_the_walker_reads_no_freed_table() -> None:
    story = unmapped()
    story.store(HOST_THREAD, L2, 0)
    story.flush_all(HOST_THREAD)
    story.add(FREE, HOST_THREAD, L3)
    story.walk(0)
    assert story.judge()["B2"].signature.endswith("walked after free")


def test_software_touches_no_freed_table() -> None:
    story = unmapped()
    story.store(HOST_THREAD, L2, 0)
    story.flush_all(HOST_THREAD)
    freed = story.add(FREE, HOST_THREAD, L3)
    assert "B3" not in story.judge()
    load = story.add(LOAD, 1, L3)
    violation = story.judge()["B3"]
    assert violation.events == (freed, load)
    assert violation.verdict == "vCPU 1 read an entry of table 0x10003000 after it was freed"


def test_a_free_waits_for_the_readers_of_rcu() -> None:
    story = Story()
    story.mapped(0)
    story.add(RCU_LOCK, 1)
    story.store(2, L2, 0)
    story.flush_all(2)
    story.add(FREE, 2, L3)
    assert "B3" not in story.judge()
    assert "grace period" in story.judge(Rules(rcu=True))["B3"].signature


def test_a_page_that_moved_is_neither_mapped_nor_accessed() -> None:
    story = unmapped()
    story.add(BACKING, HOST_THREAD, IPA, 4096, MOVED, 3)
    assert "B4" not in story.judge()
    story.access(1)
    assert story.judge()["B4"].verdict == (
        "vCPU 1 accessed 0x1000000000 through IPA 0x40000000, a page that the host had given away"
    )


def test_a_page_that_moved_while_mapped_is_still_reachable() -> None:
    story = Story()
    story.mapped(0)
    story.add(BACKING, HOST_THREAD, IPA, 4096, MOVED, 3)
    assert story.judge()["B4"].signature.endswith("mapped")


def test_a_page_that_moved_while_cached_is_still_reachable() -> None:
    story = unmapped(flush=False)
    story.add(BACKING, HOST_THREAD, IPA, 4096, MOVED, 3)
    assert story.judge()["B4"].signature.endswith("cached")


def test_nobody_writes_leaves_into_an_unlinked_table() -> None:
    for flush in (False, True):
        story = Story()
        story.mapped(0)
        story.store(1, L2, 0)
        if flush:
            story.flush_all(1)
        story.store(2, L3 + 8, leaf("rw", HOST + 0x1000))
        assert ("B5" in story.judge()) is not flush


def test_whoever_unlinked_a_table_makes_no_entry_in_it() -> None:
    for thread in (1, 2):
        story = Story()
        story.mapped(0)
        unlinked = story.store(1, L2, 0)
        story.flush_all(1)
        story.store(1, L3, 0)
        assert "B5" not in story.judge(Rules(shared_faults=True)), "it may be emptied"
        made = story.store(thread, L3 + 8, leaf("rw", HOST + 0x1000))
        found = story.judge(Rules(shared_faults=True))
        assert ("B5" in found) is (thread == 1)
        if thread == 1:
            assert found["B5"].events == (unlinked, made)
            assert found["B5"].verdict == (
                "vCPU 1 made an entry in table 0x10003000 after it had unlinked that table itself: "
                "nobody will ever walk there"
            )


def test_what_an_unmap_left_behind_is_told_once() -> None:
    story = Story()
    story.mapped(0)
    story.lock(HOST_THREAD)
    story.call(HOST_THREAD, CALL_UNMAP)
    story.returned(HOST_THREAD, CALL_UNMAP)
    story.unlock(HOST_THREAD)
    story.add(BACKING, HOST_THREAD, IPA, 4096, MOVED, 3)
    assert list(story.judge()) == ["C1"]
