"""D6: the access flag is told as it is, and taken where it was to be taken."""

from typing import Final

from stage2fuzz.arch import PTE_AF, is_leaf
from stage2fuzz.events import CALL_AGE, CALL_IS_YOUNG, CALL_NAMES, CALL_TEST_YOUNG
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.facts import Call

AGED: Final = 4
"""Pages of a range that are aged, one a call; a range as large as a block is one call."""


class Young(Oracle):
    """Asking for the flag says what the leaf has and leaves it; aging takes it from the range.

    Cached entries may hide accesses, which is fine. A flag that the walker sets while the call
    looks may be missed, and a leaf that was written since the call began is not judged.
    """

    oracle = "D6"
    rule = "access flag"
    why = "Asking for an access flag tells the leaf's and keeps it; aging a range clears them all."
    returns = (CALL_IS_YOUNG, CALL_TEST_YOUNG, CALL_AGE)

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.aged: dict[int, int] = self.per_run({})

    def leaf_changed(self, index: int, thread: int, old: int, new: int, ipa: int) -> None:
        """A flag was taken from a leaf, which asking never does."""
        if not old & ~new & PTE_AF:
            return
        call = self.world.outer_call(thread)
        if call is not None and call[1] == CALL_AGE:
            self.aged[thread] = index
        elif call is not None and call[1] == CALL_TEST_YOUNG:
            self.violation(
                "taken by asking",
                f"{CALL_NAMES[CALL_TEST_YOUNG]} of {self.world.name(thread)} cleared the access "
                f"flag of IPA {ipa:#x}, which was only asked for",
                call[0],
                index,
            )

    def returned(
        self,
        index: int,
        thread: int,
        ipa: int,
        size: int,
        result: int,
        code: int,
        call: Call | None,
    ) -> None:
        """The call's answer is the leaf's access flag; aging has left none."""
        if call is None or self.world.destroying:
            return
        if code == CALL_AGE:
            self._aged(index, thread, ipa, size, result, call)
        else:
            self._told(index, ipa, result, code, call)

    def _told(self, index: int, ipa: int, result: int, code: int, call: Call) -> None:
        world = self.world
        leaf, level, location = world.leaf_at(ipa)
        young = is_leaf(leaf, level) and bool(leaf & PTE_AF)
        if young != bool(result) and world.since.get(location, -1) < call[0]:
            self.violation(
                "young called old" if young else "old called young",
                f"{CALL_NAMES[code]} returned {result} for IPA {ipa:#x}, whose leaf has "
                f"the access flag {'set' if young else 'clear'}",
                call[0],
                index,
            )

    def _aged(self, index: int, thread: int, ipa: int, size: int, result: int, call: Call) -> None:
        """The host's clear_young of a range is over."""
        world = self.world
        cleared = self.aged.pop(thread, 0)
        if cleared and not result:
            self.violation(
                "aged in silence",
                f"{CALL_NAMES[CALL_AGE]} of {world.name(thread)} cleared an access flag and said "
                "that there was none: the host takes the page for unused",
                cleared,
                index,
            )
        pages = size // world.page_size
        if size not in (self.world.sizes[1], self.world.sizes[2]):
            pages = min(pages, AGED)
        elif not world.rules.ages_ranges:
            pages = 1
        for number in (0, 1, pages - 2, pages - 1):
            if not 0 <= number < pages:
                continue
            page = ipa + number * world.page_size
            leaf, level, location = world.leaf_at(page)
            if is_leaf(leaf, level) and leaf & PTE_AF and world.since.get(location, -1) < call[0]:
                self.violation(
                    "left young",
                    f"{CALL_NAMES[CALL_AGE]} of {world.name(thread)} returned and left the access "
                    f"flag of IPA {page:#x} set",
                    call[0],
                    index,
                )
