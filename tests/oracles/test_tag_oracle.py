"""C15: a guest with memory tags gets pages whose tags were cleared, once."""

import pytest

from stage2fuzz.events import ROOT_MTE, TAGS_CLEAR
from tests.oracles.story import HOST, L3, Story, leaf


@pytest.mark.parametrize("cleared", [(), (HOST, 4096), (HOST, 2048), (HOST + 4096, 4096)])
def test_a_page_is_not_mapped_with_the_tags_of_others(cleared: tuple[int, ...]) -> None:
    story = Story(machine=ROOT_MTE)
    if cleared:
        story.add(TAGS_CLEAR, 0, *cleared)
    story.fault(0)
    story.call(0)
    story.tables(0)
    story.store(0, L3, leaf("r"))
    assert ("C15" in story.judge()) is (cleared != (HOST, 4096))


def test_pages_cleared_one_by_one_and_out_of_order_are_clear() -> None:
    story = Story(machine=ROOT_MTE)
    story.add(TAGS_CLEAR, 0, HOST + 2048, 2048)
    story.add(TAGS_CLEAR, 1, HOST, 2048)
    story.tables(0)
    story.store(0, L3, leaf("r"))
    assert "C15" not in story.judge()


@pytest.mark.parametrize("again", [HOST, HOST + 4096])
def test_tags_that_the_guest_may_have_set_are_not_cleared(again: int) -> None:
    story = Story(machine=ROOT_MTE)
    story.add(TAGS_CLEAR, 0, HOST, 4096)
    story.tables(0)
    story.store(0, L3, leaf("rw"))
    story.add(TAGS_CLEAR, 1, again, 4096)
    assert ("C15" in story.judge()) is (again == HOST)


def test_a_guest_without_tags_has_none_to_see() -> None:
    story = Story()
    story.tables(0)
    story.store(0, L3, leaf("r"))
    assert "C15" not in story.judge()
