"""B5: nothing becomes visible to a guest through a table that was unlinked."""

from stage2fuzz.arch import PTE_VALID, is_locked
from stage2fuzz.oracles.base import Oracle


class UnlinkedSubtree(Oracle):
    """A table that was unlinked takes no more entries.

    Never from the thread that unlinked it: it knows that the table is dead, so a walk of it that
    goes on below works on nothing. From others neither, where the lock is exclusive and some PE may
    still walk there. Where walkers share the lock, one may be below an entry while another unlinks
    it, and the TLBI that follows takes away what was written meanwhile.
    """

    oracle = "B5"
    rule = "unlinked subtree is dead"
    why = (
        "No entry is made in an unlinked table: by its unlinker, or where a walk may still see it."
    )

    def private_written(self, index: int, thread: int, location: int, new: int) -> None:
        """A page that no visible entry links was written."""
        page = location & -self.world.page_size
        world = self.world
        unlinked = world.unlinked.get(page)
        if unlinked is None or not (new & PTE_VALID or is_locked(new)):
            return
        if world.events[unlinked][1] == thread:
            self.violation(
                "entry made by the unlinker",
                f"{world.name(thread)} made an entry in table {page:#x} after it had unlinked that "
                "table itself: nobody will ever walk there",
                unlinked,
                index,
            )
            return
        if world.rules.shared_faults or not new & PTE_VALID or not world.window:
            return
        pe = world.window.walker_of(page)
        if pe >= 0:
            self.violation(
                "valid entry written",
                f"{world.name(thread)} wrote a valid entry to table {page:#x} after it was "
                f"unlinked, while {world.name(pe)} may still walk through it",
                unlinked,
                index,
            )
