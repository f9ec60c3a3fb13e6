"""What EL2's events say so far: the state of each page, each translation, whose VM is gone."""

from typing import Final

from stage2fuzz.case.scenario import EL2_TEST_PAGES
from stage2fuzz.events import (
    MAPPED_VALID,
    STATE_COUNT_SHIFT,
    STATE_HYP_SHIFT,
    STATE_MASK,
    STATE_OWNED,
    STATE_SHARED_OWNED,
    TREE_BITS,
    TREE_GONE,
    TREE_GUEST,
    TREE_HOST,
    TREE_HYP,
)

OWNS: Final = (STATE_OWNED, STATE_SHARED_OWNED)
"""States of a component that owns a page."""
STATE_NAMES: Final = ("owned", "shared", "borrowed", "not there")


def host_state(state: int) -> int:
    """The host's part of a page's state."""
    return state & STATE_MASK


def hyp_state(state: int) -> int:
    """EL2's part of a page's state."""
    return state >> STATE_HYP_SHIFT & STATE_MASK


def share_count(state: int) -> int:
    """How many guests a page is shared with, as EL2 counts them."""
    return state >> STATE_COUNT_SHIFT


def tree_name(tree: int) -> str:
    """Whose translations these are."""
    kind = tree & TREE_BITS
    if kind == TREE_HOST:
        return "the host's stage 2"
    if kind == TREE_HYP:
        return "EL2's stage 1"
    return f"the stage 2 of VM {kind - TREE_GUEST}" if kind else "a table that is not linked"


class Ownership:
    """Pages and translations as they were last recorded; reused for many runs."""

    __slots__ = ("mappings", "orphans", "since", "states")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Nothing is known yet."""
        self.states: dict[int, int] = {}
        """pfn -> its state, as events pack it."""
        self.since: dict[int, int] = {}
        """pfn -> the event that last said something of it."""
        self.mappings: dict[tuple[int, int], tuple[int, int]] = {}
        """(tree, page) -> what an entry there says: (pfn, MAPPED_* and state)."""
        self.orphans: dict[int, list[int]] = {}
        """pfn -> states in guests that are gone and never gave it back."""

    def changed(self, index: int, pfn: int, state: int) -> None:
        """A page's state was written."""
        self.states[pfn] = state
        self.since[pfn] = index

    def mapped(self, index: int, ipa: int, pfn: int, state: int, tree: int) -> None:
        """An entry says something else than before."""
        kind = tree & TREE_BITS
        before = self.mappings.pop((kind, ipa), None)
        if before is not None and before[1] & MAPPED_VALID:
            self.since[before[0]] = index
            if tree & TREE_GONE:
                self.orphans.setdefault(before[0], []).append(before[1] & STATE_MASK)
        if pfn >= 0 or state:
            self.mappings[kind, ipa] = (pfn, state)
            self.since[pfn] = index

    def guests_of(self, pfn: int) -> list[tuple[int, int, int]]:
        """(VM, its page, its state) of each guest that has ``pfn`` mapped."""
        return [
            (tree - TREE_GUEST, ipa, said & STATE_MASK)
            for (tree, ipa), (page, said) in self.mappings.items()
            if tree >= TREE_GUEST and page == pfn and said & MAPPED_VALID
        ]

    def pages(self) -> range:
        """The pages that cases name."""
        return range(EL2_TEST_PAGES)
