"""D5: clearing a dirty bit protects that page, and no other bit goes."""

from stage2fuzz.arch import PTE_VALID, PTE_WRITE
from stage2fuzz.events import CALL_LOG_CLEAR, CALL_LOG_GET
from stage2fuzz.oracles.base import Oracle


class ClearIsExact(Oracle):
    """Each page whose bit a call clears is write-protected by it; a clear stays in its range.

    A leaf that became writable again after its bit was cleared has marked itself, or will (D3).
    """

    oracle = "D5"
    rule = "clear is exact"
    why = "A dirty-log call write-protects each page whose bit it clears, and clears no other."
    returns = (CALL_LOG_GET, CALL_LOG_CLEAR)

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.cleared: dict[int, list[tuple[int, int]]] = self.per_run({})

    def clear_dirty(self, index: int, thread: int, ipa: int) -> None:
        """A call cleared a bit: in its range, and to be protected before it returns."""
        self.cleared.setdefault(thread, []).append((index, ipa))
        call = self.world.outer_call(thread)
        if (
            call is not None
            and call[1] == CALL_LOG_CLEAR
            and not call[2] <= ipa < call[2] + call[3]
        ):
            self.violation(
                "bit outside the range",
                f"KVM_CLEAR_DIRTY_LOG of {call[2]:#x} + {call[3]:#x} cleared the bit of page "
                f"{ipa:#x}",
                call[0],
                index,
            )

    def returned(self, index: int, thread: int) -> None:
        """The call is over; what it cleared must be protected."""
        if not self.cleared:
            return
        world = self.world
        for cleared, page in self.cleared.pop(thread, ()):
            leaf, level, location = world.leaf_at(page)
            if leaf & PTE_VALID and leaf & PTE_WRITE and world.since.get(location, index) < cleared:
                self.violation(
                    "page left writable",
                    f"the dirty bit of page {page:#x} was cleared, but {self.pte(leaf, level)} "
                    "stayed writable: the next write is not noticed",
                    cleared,
                    index,
                )
