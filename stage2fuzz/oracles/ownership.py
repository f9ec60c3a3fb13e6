"""What EL2's events say so far: the state of each page, each translation, whose VM is gone."""

from typing import Final

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
from stage2fuzz.oracles.base import Oracle

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


class OwnershipOracle(Oracle):
    """The form of an oracle that asks who owns a page: it keeps what the events said last.

    Its own facts, since the world of the other oracles knows one tree and no owner.
    """

    oracle = "H"
    rule = "ownership"
    why = "The form of the rules of ownership."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.states: dict[int, int] = self.per_run({})
        """pfn -> its state, as events pack it."""
        self.since: dict[int, int] = self.per_run({})
        """pfn -> the event that last said something of it."""
        self.mappings: dict[tuple[int, int], tuple[int, int]] = self.per_run({})
        """(tree, page) -> what an entry there says: (pfn, MAPPED_* and state)."""
        self.orphans: dict[int, list[int]] = self.per_run({})
        """pfn -> states in guests that are gone and never gave it back."""

    def page_state(self, index: int, pfn: int, state: int) -> None:
        """EL2 noted another state of a page."""
        self.states[pfn] = state
        self.since[pfn] = index

    def mapping(self, index: int, ipa: int, pfn: int, state: int, tree: int) -> None:
        """What a tree says of a page is another than before."""
        kind = tree & TREE_BITS
        before = self.mappings.pop((kind, ipa), None)
        if before is not None and before[1] & MAPPED_VALID:
            self.since[before[0]] = index
            if tree & TREE_GONE:
                self.orphans.setdefault(before[0], []).append(before[1] & STATE_MASK)
        if pfn >= 0 or state:
            self.mappings[kind, ipa] = (pfn, state)
            self.since[pfn] = index

    def _guests_of(self, pfn: int) -> list[tuple[int, int, int]]:
        """(VM, its page, its state) of each guest that has ``pfn`` mapped."""
        return [
            (tree - TREE_GUEST, ipa, said & STATE_MASK)
            for (tree, ipa), (page, said) in self.mappings.items()
            if tree >= TREE_GUEST and page == pfn and said & MAPPED_VALID
        ]

    def _pages(self) -> list[int]:
        """The pages that cases name and whose state is known; EL2's own have numbers below."""
        return [pfn for pfn in self.states if pfn >= 0]
