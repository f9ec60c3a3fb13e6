"""D1 to D8: the dirty log tells the truth, and so does the host's own page."""

import pytest

from stage2fuzz.arch import PERMISSION, PTE_AF, PTE_LOCKED, WRITE
from stage2fuzz.events import (
    BACKING,
    CALL_AGE,
    CALL_INVALIDATE_START,
    CALL_IS_YOUNG,
    CALL_LOG_CLEAR,
    CALL_LOG_ENABLE,
    CALL_LOG_GET,
    CALL_RELAX,
    CALL_TEST_YOUNG,
    CALL_WRPROTECT,
    CLEAR_DIRTY,
    EAGAIN,
    ENOMEM,
    HOST_DEVICE,
    HOST_READ,
    HOST_WRITE,
    MARK_DIRTY,
    REPORT,
    SLOT,
    SLOT_LOGGING,
)
from stage2fuzz.rules import Rules
from tests.oracles.story import HOST, HOST_THREAD, IPA, L3, PAGES, RW, Story, leaf


def harvest(story: Story, protect: bool = True, flush: bool = True) -> None:
    """KVM_GET_DIRTY_LOG of the one dirty page."""
    story.call(HOST_THREAD, CALL_LOG_GET, 0)
    story.lock(HOST_THREAD)
    story.add(CLEAR_DIRTY, HOST_THREAD, IPA)
    if protect:
        story.call(HOST_THREAD, CALL_WRPROTECT, 0)
        story.store(HOST_THREAD, L3, leaf("r"))
        story.returned(HOST_THREAD, CALL_WRPROTECT)
    story.unlock(HOST_THREAD)
    if flush:
        story.flush_all(HOST_THREAD)
    story.add(REPORT, HOST_THREAD, IPA)
    story.returned(HOST_THREAD, CALL_LOG_GET)


def test_a_write_that_is_reported_or_marked_is_not_lost() -> None:
    story = Story(SLOT_LOGGING)
    story.mapped(0, "rw", mark=True)
    story.access(0, WRITE)
    harvest(story)
    story.quiescent()
    assert story.judge() == {}


def test_a_write_after_the_report_needs_a_new_mark() -> None:
    story = Story(SLOT_LOGGING)
    story.mapped(0, "rw", mark=True)
    harvest(story, flush=False)
    written = story.access(0, WRITE)
    end = story.quiescent()
    violation = story.judge()["D1"]
    assert violation.events == (written, end)
    assert violation.verdict == (
        "vCPU 0's write to page 0x40000000 is lost: no dirty-log read reported the page after it, "
        "and its bit is not set"
    )


def test_a_refused_fault_marks_nothing() -> None:
    for result, name in ((-EAGAIN, "-EAGAIN"), (-ENOMEM, "-ENOMEM")):
        story = Story(SLOT_LOGGING)
        story.mapped(0, "r")
        story.fault(1, WRITE)
        story.prepare(1, write=True)
        marked = story.add(MARK_DIRTY, 1, IPA)
        story.call(1, prot=RW)
        story.returned(1, result=result)
        end = story.finish(1, WRITE)
        violation = story.judge()["D2"]
        assert violation.events == (marked, end)
        assert violation.verdict == (
            "vCPU 1's write translation fault marked page 0x40000000 dirty and then ended with "
            f"{name}: the page is reported though nobody can have written it"
        )


def test_a_refused_fault_may_mark_what_is_writable() -> None:
    story = Story(SLOT_LOGGING)
    story.mapped(0, "rw", mark=True)
    story.fault(1, WRITE)
    story.add(MARK_DIRTY, 1, IPA)
    story.call(1, prot=RW)
    story.returned(1, result=-EAGAIN)
    story.finish(1, WRITE)
    assert "D2" not in story.judge()


@pytest.mark.parametrize("owned", [False, True])
def test_a_success_without_a_leaf_grants_nothing_unless_another_walker_owns_the_entry(
    owned: bool,
) -> None:
    story = Story(SLOT_LOGGING)
    story.mapped(0, "r")
    story.store(HOST_THREAD, L3, 0)
    story.fault(1, WRITE, PERMISSION)
    story.call(1, CALL_RELAX)
    if owned:
        story.store(2, L3, PTE_LOCKED)
    story.returned(1, CALL_RELAX)
    story.add(MARK_DIRTY, 1, IPA)
    story.finish(1, WRITE)
    assert ("D2" in story.judge(Rules(shared_faults=True))) is not owned


def test_a_leaf_that_was_writable_during_the_call_was_granted() -> None:
    story = Story(SLOT_LOGGING)
    story.mapped(0, "r")
    story.fault(1, WRITE, PERMISSION)
    story.call(1, CALL_RELAX)
    story.store(1, L3, leaf("rw"))
    story.store(2, L3, leaf("r"))
    story.returned(1, CALL_RELAX)
    story.add(MARK_DIRTY, 1, IPA)
    story.finish(1, WRITE)
    assert "D2" not in story.judge(Rules(shared_faults=True))


def test_the_host_learns_that_its_page_is_written() -> None:
    for address in (None, HOST, HOST + 0x1000):
        story = Story()
        story.fault(0, WRITE, level=1)
        story.prepare(0, write=True)
        story.call(0)
        story.tables(0)
        granted = story.store(0, L3, leaf("rw"))
        story.returned(0)
        if address is not None:
            story.host_dirty(0, address)
        end = story.finish(0, WRITE)
        found = story.judge()
        assert ("D8" in found) is (address != HOST)
    assert found["D8"].events == (granted, end)
    assert found["D8"].verdict == (
        "vCPU 0's write translation fault made page 0x1000000000 of IPA 0x40000000 writable and "
        "never marked it dirty for the host, which may drop it with what the guest wrote"
    )


def test_the_host_learns_it_before_it_takes_the_page() -> None:
    for late in (False, True):
        story = Story()
        story.fault(0, WRITE, level=1)
        story.prepare(0, write=True)
        story.call(0)
        story.tables(0)
        granted = story.store(0, L3, leaf("rw"))
        story.returned(0)
        if not late:
            story.host_dirty(0)
        story.unlock(0)
        taken = story.add(BACKING, HOST_THREAD, IPA, 4096, HOST + (1 << 34), 3)
        if late:
            story.host_dirty(0)
        found = story.judge()
        assert ("D8" in found) is late
    assert found["D8"].events == (granted, taken)


@pytest.mark.parametrize("late", [False, True])
def test_the_host_learns_it_before_the_lock_is_dropped_that_keeps_it_out(late: bool) -> None:
    story = Story()
    story.fault(0, WRITE, level=1)
    story.prepare(0, write=True)
    story.call(0)
    story.tables(0)
    granted = story.store(0, L3, leaf("rw"))
    story.returned(0)
    waiting = story.call(HOST_THREAD, CALL_INVALIDATE_START)
    if late:
        story.unlock(0)
    marked = story.host_dirty(0)
    found = story.judge()
    assert ("D8" in found) is late
    if late:
        assert found["D8"].events == (granted, waiting, marked)
        assert found["D8"].verdict == (
            "vCPU 0 made page 0x1000000000 of IPA 0x40000000 writable and dropped mmu_lock before "
            "it marked the page dirty, while host thread 3 was about to take it: the host may find "
            "it clean"
        )


def test_a_mark_before_the_leaf_is_in_time_and_a_device_needs_none() -> None:
    story = Story()
    story.fault(0, WRITE, level=1)
    story.host_dirty(0)
    story.call(0)
    story.tables(0)
    story.store(0, L3, leaf("rw"))
    story.returned(0)
    story.finish(0, WRITE)
    assert "D8" not in story.judge()
    story = Story(host=HOST_READ | HOST_WRITE | HOST_DEVICE)
    story.fault(0, WRITE, level=1)
    story.tables(0)
    story.call(0)
    story.store(0, L3, leaf("rw"))
    story.finish(0, WRITE)
    assert "D8" not in story.judge()


def test_what_is_writable_at_the_end_is_marked() -> None:
    for mark in (False, True):
        story = Story(SLOT_LOGGING)
        story.mapped(0, "rw", mark=mark)
        story.quiescent()
        assert ("D3" in story.judge()) is not mark


def test_what_is_cached_writable_at_the_end_is_marked() -> None:
    story = Story(SLOT_LOGGING)
    story.mapped(0, "rw", mark=True)
    harvest(story, flush=False)
    story.quiescent()
    assert story.judge()["D3"].signature.endswith("page cached")


def test_logging_starts_with_nothing_writable() -> None:
    for protect in (False, True):
        story = Story()
        story.mapped(0, "rw")
        story.call(HOST_THREAD, CALL_LOG_ENABLE, 0)
        story.add(SLOT, HOST_THREAD, IPA, PAGES * 4096, SLOT_LOGGING, 0)
        if protect:
            story.store(HOST_THREAD, L3, leaf("r"))
            story.flush_all(HOST_THREAD)
        story.returned(HOST_THREAD, CALL_LOG_ENABLE)
        assert ("D4" in story.judge()) is not protect


def test_a_cleared_bit_protects_its_page() -> None:
    for protect in (False, True):
        story = Story(SLOT_LOGGING)
        story.mapped(0, "rw", mark=True)
        harvest(story, protect)
        assert ("D5" in story.judge()) is not protect


def test_a_clear_stays_in_its_range() -> None:
    story = Story(SLOT_LOGGING)
    story.call(HOST_THREAD, CALL_LOG_CLEAR, 0)
    story.add(CLEAR_DIRTY, HOST_THREAD, IPA)
    assert "D5" not in story.judge()
    story.add(CLEAR_DIRTY, HOST_THREAD, IPA + 0x1000)
    assert "outside the range" in story.judge()["D5"].signature


def test_is_young_says_what_the_leaf_says() -> None:
    for answer in (0, 1):
        story = Story()
        story.mapped(0)
        story.lock(HOST_THREAD)
        story.call(HOST_THREAD, CALL_IS_YOUNG, 0)
        story.returned(HOST_THREAD, CALL_IS_YOUNG, answer)
        assert ("D6" in story.judge()) is not answer


@pytest.mark.parametrize("clears", [False, True])
def test_asking_for_the_access_flag_keeps_it(clears: bool) -> None:
    story = Story()
    story.mapped(0)
    story.call(HOST_THREAD, CALL_TEST_YOUNG, 0)
    if clears:
        story.store(HOST_THREAD, L3, leaf("rw") & ~PTE_AF)
    story.returned(HOST_THREAD, CALL_TEST_YOUNG, 1)
    said = story.judge()
    assert ("D6" in said) is clears
    assert not clears or "taken by asking" in said["D6"].signature


@pytest.mark.parametrize(
    ("clears", "answer", "problem"), [(True, 1, ""), (True, 0, "in silence"), (False, 1, "left")]
)
def test_aging_takes_the_flag_and_says_so(clears: bool, answer: int, problem: str) -> None:
    story = Story()
    story.mapped(0)
    story.call(HOST_THREAD, CALL_AGE, 0)
    if clears:
        story.store(HOST_THREAD, L3, leaf("rw") & ~PTE_AF)
    story.returned(HOST_THREAD, CALL_AGE, answer)
    said = story.judge()
    assert ("D6" in said) is bool(problem)
    assert not problem or problem in said["D6"].signature
