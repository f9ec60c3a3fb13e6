"""D1 to D6: the dirty log tells the truth."""

from stage2fuzz.arch import WRITE
from stage2fuzz.events import (
    CALL_IS_YOUNG,
    CALL_LOG_CLEAR,
    CALL_LOG_ENABLE,
    CALL_LOG_GET,
    CALL_WRPROTECT,
    CLEAR_DIRTY,
    EAGAIN,
    ENOMEM,
    MARK_DIRTY,
    REPORT,
    SLOT,
    SLOT_LOGGING,
)
from tests.oracles.story import HOST_THREAD, IPA, L3, PAGES, RW, Story, leaf


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
