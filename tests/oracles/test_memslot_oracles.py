"""C16 and G7: what a guest's set/way maintenance cleans, and which memslots there may be."""

import pytest

from stage2fuzz.arch import PAGE_SIZE
from stage2fuzz.events import (
    CALL,
    CALL_LOG_ENABLE,
    CALL_SET_WAY,
    CALL_SLOT_CREATE,
    CALL_SLOT_LIMIT,
    CALL_TOGGLE_CACHE,
    DCACHE_CLEAN,
    EFAULT,
    EINVAL,
    HOST_DEVICE,
    HOST_READ,
    HOST_WRITE,
    RETURN,
    ROOT_FWB,
    SLOT,
    SLOT_LOGGING,
    STATE_WANTED_SHIFT,
    TRAPS_SWITCHES,
    USES_CACHES,
)
from tests.oracles.story import HOST, HOST_THREAD, IPA, Story

ON, OFF = USES_CACHES, 0
TRAPS = TRAPS_SWITCHES


def trapped(
    code: int, before: int, wanted: int, after: int, cleaned: int = PAGE_SIZE, machine: int = 0
) -> Story:
    """A page is mapped, then a guest's instruction traps and so much of the page is cleaned."""
    story = Story(machine=machine)
    story.mapped(0)
    story.add(CALL, HOST_THREAD, 0, 0, before | wanted << STATE_WANTED_SHIFT, code)
    if cleaned:
        story.add(DCACHE_CLEAN, HOST_THREAD, HOST, cleaned)
    story.add(RETURN, HOST_THREAD, 0, 0, after, code)
    return story


@pytest.mark.parametrize("cleaned", [0, PAGE_SIZE // 2, PAGE_SIZE])
def test_the_first_maintenance_by_set_and_way_cleans_what_is_mapped(cleaned: int) -> None:
    found = trapped(CALL_SET_WAY, OFF, OFF, TRAPS, cleaned).judge()
    assert ("C16" in found) is (cleaned != PAGE_SIZE)


def test_a_second_one_need_not() -> None:
    assert "C16" not in trapped(CALL_SET_WAY, OFF | TRAPS, OFF, TRAPS, 0).judge()


def test_a_guest_that_can_not_turn_its_caches_off_needs_no_maintenance() -> None:
    assert "C16" not in trapped(CALL_SET_WAY, OFF, OFF, TRAPS, 0, ROOT_FWB).judge()


@pytest.mark.parametrize(("before", "wanted"), [(ON, OFF), (OFF, ON)])
def test_a_switch_of_the_caches_cleans_what_is_mapped(before: int, wanted: int) -> None:
    after = wanted | (OFF if wanted else TRAPS)
    for cleaned in (0, PAGE_SIZE):
        found = trapped(CALL_TOGGLE_CACHE, before | TRAPS, wanted, after, cleaned).judge()
        assert ("C16" in found) is not cleaned
    same = trapped(CALL_TOGGLE_CACHE, wanted | TRAPS, wanted, after, 0)
    assert "C16" not in same.judge()


def test_switches_trap_until_the_caches_are_on() -> None:
    assert "C16" in trapped(CALL_SET_WAY, OFF, OFF, OFF).judge()
    assert "C16" in trapped(CALL_TOGGLE_CACHE, OFF | TRAPS, ON, ON | TRAPS).judge()
    assert "C16" in trapped(CALL_TOGGLE_CACHE, ON | TRAPS, OFF, OFF).judge()


def test_what_is_mapped_meanwhile_was_cleaned_as_it_was_mapped() -> None:
    story = Story(machine=0)
    story.add(CALL, HOST_THREAD, 0, 0, 0, CALL_SET_WAY)
    story.mapped(0)
    story.add(RETURN, HOST_THREAD, 0, 0, TRAPS, CALL_SET_WAY)
    assert "C16" not in story.judge()


def test_a_memslot_that_nothing_speaks_against_is_granted() -> None:
    for code in (CALL_LOG_ENABLE, CALL_SLOT_CREATE):
        for result in (0, -EINVAL):
            story = Story()
            story.add(CALL, HOST_THREAD, IPA, PAGE_SIZE, 0, code)
            story.add(RETURN, HOST_THREAD, IPA, PAGE_SIZE, result, code)
            assert ("G7" in story.judge()) is bool(result)


def test_device_memory_is_not_logged() -> None:
    device = HOST_READ | HOST_WRITE | HOST_DEVICE
    story = Story(host=device)
    story.add(CALL, HOST_THREAD, IPA, PAGE_SIZE, 0, CALL_LOG_ENABLE)
    story.add(RETURN, HOST_THREAD, IPA, PAGE_SIZE, -EINVAL, CALL_LOG_ENABLE)
    assert "G7" not in story.judge()
    story = Story(host=device)
    story.add(SLOT, HOST_THREAD, IPA, PAGE_SIZE, SLOT_LOGGING, 0)
    assert "device memory logged" in story.judge()["G7"].signature


@pytest.mark.parametrize("above", [0, PAGE_SIZE])
@pytest.mark.parametrize("result", [0, -EFAULT])
def test_no_memslot_ends_above_the_ipa_space(above: int, result: int) -> None:
    story = Story(machine=0)
    first = (1 << 40) - PAGE_SIZE + above
    story.add(CALL, HOST_THREAD, first, PAGE_SIZE, 0, CALL_SLOT_LIMIT)
    story.add(RETURN, HOST_THREAD, first, PAGE_SIZE, result, CALL_SLOT_LIMIT)
    assert ("G7" in story.judge()) is (bool(above) is not bool(result))
