"""E1 to E5, F1, F2, F5: what is counted, freed and locked."""

import pytest

from stage2fuzz.events import (
    ALLOC,
    CALL,
    CALL_DESTROY,
    CALL_INVALIDATE_START,
    CALL_MAP,
    CALL_UNMAP,
    CALL_WRPROTECT,
    FREE,
    FREE_DEFERRED,
    INVALIDATE_NONBLOCK,
    LOCK,
    LOCK_MMU,
    ORDER_CAS,
    ORDER_PLAIN,
    PIN,
    WARN,
    WARN_MEMORY_CACHE,
)
from stage2fuzz.rules import Rules
from tests.oracles.story import HOST, HOST_THREAD, IPA, L2, L3, Story, leaf


def test_a_reference_kept_too_long_is_a_leak_to_come() -> None:
    for extra in (False, True):
        story = Story()
        story.lock(0)
        story.call(0)
        story.tables(0)
        story.store(0, L3, leaf("rw"))
        story.get(0, L3)
        if extra:
            story.get(0, L3)
        story.returned(0)
        assert ("E1" in story.judge()) is extra
    assert "(2 would be right): it will never be freed" in story.judge()["E1"].verdict


def test_a_missing_reference_frees_too_early() -> None:
    story = Story()
    story.lock(0)
    story.call(0)
    story.tables(0)
    story.store(0, L3, leaf("rw"))
    story.returned(0)
    assert story.judge()["E1"].signature.endswith("too few")


def test_a_table_nobody_links_is_leaked() -> None:
    for way_out in ((), (FREE,), (FREE_DEFERRED, FREE)):
        story = Story()
        story.add(ALLOC, 0, L2)
        for kind in way_out:
            story.add(kind, 0, L2)
        story.quiescent()
        assert ("E2" in story.judge()) is not bool(way_out)


def test_a_deferred_free_that_frees_nothing_is_a_leak() -> None:
    story = Story()
    story.add(ALLOC, 0, L2)
    deferred = story.add(FREE_DEFERRED, 0, L2)
    assert "E2" not in story.judge(), "the grace period may go on"
    end = story.quiescent()
    violation = story.judge()["E2"]
    assert violation.events == (deferred, end)
    assert violation.verdict == (
        "table page 0x10002000 is handed to a deferred free that did not free it and was never "
        "freed"
    )


def test_teardown_leaves_nothing() -> None:
    for freed in (False, True):
        story = Story()
        story.mapped(0)
        story.quiescent()
        story.call(0, CALL_DESTROY, 0)
        story.add(FREE, 0, L3)
        if freed:
            story.add(FREE, 0, L2)
        story.returned(0, CALL_DESTROY)
        assert list(story.judge()) == ([] if freed else ["E2"])


def test_no_page_is_freed_twice() -> None:
    story = Story()
    story.add(ALLOC, 0, L2)
    first = story.add(FREE, 0, L2)
    assert "E3" not in story.judge()
    second = story.add(FREE, 1, L2)
    violation = story.judge()["E3"]
    assert violation.events == (first, second)
    assert violation.verdict == "vCPU 1 freed table 0x10002000, which was freed already"


def test_each_fault_releases_its_page_once() -> None:
    for pins, ending in ((1, ""), (2, "not released"), (0, "released twice")):
        story = Story()
        story.fault(0)
        for _ in range(pins):
            story.add(PIN, 0, IPA, 0, HOST, 3)
        story.lock(0)
        story.finish(0)
        found = story.judge()
        assert found["E4"].signature.endswith(ending) if ending else "E4" not in found


def test_a_fault_tops_its_cache_up_before_it_runs_dry() -> None:
    for topup in (False, True):
        story = Story()
        story.fault(0)
        if topup:
            story.prepare(0)
        else:
            story.lock(0)
        story.call(0)
        story.add(WARN, 0, aux=WARN_MEMORY_CACHE)
        signature = story.judge()["E5"].signature
        assert signature.endswith(
            ("no top-up, read translation fault", "topped up too little, read translation fault")[
                topup
            ]
        )
        assert "WARN" not in story.judge()


def test_whoever_takes_from_an_empty_cache_outside_a_fault_is_told_of() -> None:
    story = Story()
    story.add(WARN, 3, aux=WARN_MEMORY_CACHE)
    assert story.judge()["E5"].signature.endswith("memory cache empty, no fault")


def test_nobody_asks_the_system_for_pages_under_the_lock() -> None:
    for aux in (0, 1, 2):
        story = Story()
        story.lock(0)
        story.add(ALLOC, 0, L2, aux=aux)
        assert ("E5" in story.judge()) is (aux == 1)


def test_unmap_needs_the_lock_for_writing() -> None:
    story = Story()
    story.call(3, CALL_UNMAP, 0)
    assert story.judge()["F1"].verdict == (
        "host thread 3 called kvm_pgtable_stage2_unmap(0x40000000) without mmu_lock"
    )
    story = Story()
    story.add(LOCK, 0, LOCK_MMU, aux=1)
    story.call(0, CALL_MAP)
    assert "without mmu_lock for writing" in story.judge()["F1"].signature
    assert "F1" not in story.judge(Rules(shared_faults=True))


def test_a_shared_walk_writes_by_cmpxchg() -> None:
    for order in (ORDER_CAS, ORDER_PLAIN):
        story = Story()
        story.tables(0)
        story.add(LOCK, 1, LOCK_MMU, aux=1)
        story.store(1, L3, leaf("r"), order)
        found = story.judge(Rules(shared_faults=True))
        assert ("F2" in found) is (order == ORDER_PLAIN)


def test_one_call_under_the_lock_covers_the_largest_block_at_most() -> None:
    for size in (1 << 30, 2 << 30):
        for lock in (False, True):
            story = Story()
            if lock:
                story.lock(HOST_THREAD)
            story.add(CALL, HOST_THREAD, IPA, size, 0, CALL_WRPROTECT)
            assert ("F5" in story.judge()) is (lock and size > 1 << 30)
    assert story.judge()["F5"].verdict == (
        "host thread 3 called kvm_pgtable_stage2_wrprotect(0x40000000, 0x80000000) with mmu_lock "
        "held: nobody else gets it before all 2048 MiB are done"
    )


@pytest.mark.parametrize("argument", [0, INVALIDATE_NONBLOCK])
def test_a_notifier_that_may_not_block_keeps_the_lock(argument: int) -> None:
    story = Story()
    for _ in range(2):
        story.add(CALL, HOST_THREAD, IPA, 4096, argument, CALL_INVALIDATE_START)
        story.lock(HOST_THREAD)
        story.unlock(HOST_THREAD)
        story.returned(HOST_THREAD, CALL_INVALIDATE_START)
    assert "F5" not in story.judge(), "each call may take it once"
    begun = story.add(CALL, HOST_THREAD, IPA, 4096, argument, CALL_INVALIDATE_START)
    story.lock(HOST_THREAD)
    dropped = story.unlock(HOST_THREAD)
    taken = story.lock(HOST_THREAD)
    story.unlock(HOST_THREAD)
    story.returned(HOST_THREAD, CALL_INVALIDATE_START)
    found = story.judge()
    assert ("F5" in found) is bool(argument)
    if argument:
        assert found["F5"].events == (begun, dropped, taken)
