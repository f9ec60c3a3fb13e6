"""B5: nothing becomes visible to a guest through a table that was unlinked."""

from stage2fuzz.arch import PAGE_SIZE, PTE_VALID
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.rules import Rules


class UnlinkedSubtree(Oracle):
    """A walker that lost a race must not write leaves into a dead table some PE still walks.

    Under an exclusive lock, that is: where walkers share it one may be below an entry while another
    unlinks it, and the TLBI that follows takes away what was written meanwhile.
    """

    oracle = "B5"
    rule = "unlinked subtree is dead"
    why = "No valid entry is written to an unlinked table that a walk cache may still reach."

    @classmethod
    def applies(cls, rules: Rules) -> bool:
        """The rule holds where one walker at a time changes tables."""
        return not rules.shared_faults

    def private_written(self, index: int, thread: int, location: int, new: int) -> None:
        """A page that no visible entry links was written."""
        page = location & -PAGE_SIZE
        world = self.world
        if not new & PTE_VALID or page not in world.unlinked or not world.window:
            return
        pe = world.window.walker_of(page)
        if pe >= 0:
            self.violation(
                "valid entry written",
                f"{world.name(thread)} wrote a valid entry to table {page:#x} after it was "
                f"unlinked, while {world.name(pe)} may still walk through it",
                world.unlinked[page],
                index,
            )
