"""E1: a table page is counted once for itself and once for each entry."""

from typing import Final

from stage2fuzz.arch import PTE_LOCKED, PTE_LOCKED_TYPE, PTE_VALID
from stage2fuzz.events import FIRST_HOST_CALL
from stage2fuzz.oracles.base import Oracle

UNCOUNTED: Final = (0, PTE_LOCKED, PTE_LOCKED_TYPE)


class ReferenceCount(Oracle):
    """count = 1 + counted entries, whenever no operation is in progress.

    Valid entries count until v5.12, non-zero ones later; the locked marker never, and root pages
    are not counted at all. Inside an operation the order is free.
    """

    oracle = "E1"
    rule = "reference count"
    why = "Each linked table page's count is one more than its counted entries."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.counts: dict[int, int] = self.per_run({})

    def alloc(self, page: int) -> None:
        """The allocation is the first reference."""
        self.counts[page] = 1

    def get_page(self, index: int, page: int, count: int) -> None:
        """The page has one reference more."""
        self.counts[page] = count
        self.world.touched[page] = index

    def put_page(self, index: int, page: int, count: int) -> None:
        """The page has one reference less."""
        self.counts[page] = count
        self.world.touched[page] = index

    def returned(self, index: int, thread: int) -> None:
        """If no other call is under way, the pages that were touched are counted."""
        world = self.world
        touched = world.touched
        if not touched or world.pending or world.destroying:
            return
        for other, call in world.calls.items():
            if call is not None and other != thread and call[1] < FIRST_HOST_CALL:
                return
        for page, last in touched.items():
            count = self.counts.get(page)
            if count is None or page not in world.pages:
                continue
            if world.rules.counts_any_nonzero:
                used = sum([v not in UNCOUNTED for v in world.tables[page].values()])
            else:
                used = sum([v & PTE_VALID for v in world.tables[page].values()])
            if count != 1 + used:
                self.violation(
                    "too many" if count > 1 + used else "too few",
                    f"table {page:#x} has {used} counted entries and {count} references "
                    f"({1 + used} would be right): it will "
                    + ("never be freed" if count > 1 + used else "be freed too early"),
                    last,
                    index,
                )
        touched.clear()
