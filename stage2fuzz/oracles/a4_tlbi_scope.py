"""A4: the TLBI covers what was removed: the right page, level and depth."""

from stage2fuzz.events import (
    DSB_ISH,
    TLBI_ALLE1,
    TLBI_BROADCAST,
    TLBI_IPAS2E1,
    TLBI_OPERATION,
    TLBI_VMALLE1,
    TREE_SHIFT,
)
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.window import Entry

OPERATION_NAMES = {TLBI_IPAS2E1: "by IPA", TLBI_VMALLE1: "of stage 1"}


class Removal:
    """An entry that was taken away, and how far its flush has come."""

    __slots__ = ("end", "flush", "index", "ipa", "level", "pages", "table", "thread", "tlbi")

    def __init__(
        self, index: int, thread: int, level: int, ipa: int, size: int, pages: list[int] | None
    ) -> None:
        self.index, self.thread, self.level, self.ipa = index, thread, level, ipa
        self.end = ipa + size
        self.table = pages is not None
        """Whether it linked a table, perhaps an empty one, and was no leaf."""
        self.pages = pages or []
        self.tlbi = -1
        self.flush = -1


class TlbiScope(Oracle):
    """Removing a table needs the walk caches *and* every leaf below it; a leaf any IPA inside it.

    Level hints are for leaves (KVM fixes 3a0b870e3448 and 36e008323926). A table whose leaves were
    all flushed before may go with one TLBI by IPA, as KVM's unmap does it. A TLBI that is missing,
    local or not complete is A2's business; here one was complete and yet something is left.
    """

    oracle = "A4"
    rule = "TLBI scope"
    why = "A completed TLBI leaves nothing of what was removed: right page, level and depth."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.removals: dict[int, Removal] = self.per_run({})

    def leaf_removed(self, index: int, thread: int, location: int, level: int, ipa: int) -> None:
        """A leaf is gone; if nothing of it can be cached there is nothing to flush."""
        if self.world.window.record(location) is not None:
            self.removals[location] = Removal(
                index, thread, level, ipa, self.world.sizes[level], None
            )

    def table_unlinked(
        self, index: int, thread: int, location: int, level: int, ipa: int, below: list[Entry]
    ) -> None:
        """A table is gone, with all that hung below it."""
        self.removals[location] = Removal(
            index, thread, level, ipa, self.world.sizes[level], [entry[0] for entry in below]
        )

    def tlbi(self, index: int, thread: int, vmid: int, form: int) -> None:
        """The thread issued a broadcast TLBI of stage 2; its DSB will complete it."""
        operation = form & TLBI_OPERATION
        tree, every = vmid - self.world.vmid, operation == TLBI_ALLE1
        if self.removals and form & TLBI_BROADCAST and operation != TLBI_VMALLE1:
            for removal in self.removals.values():
                if removal.thread == thread and (every or removal.ipa >> TREE_SHIFT == tree):
                    removal.tlbi = index

    def dsb(self, thread: int, barrier: int) -> None:
        """The thread's last TLBI is complete, for all that it removed before."""
        if self.removals and barrier == DSB_ISH:
            for removal in self.removals.values():
                if removal.thread == thread:
                    removal.flush = removal.tlbi

    def leaf_installed(self, index: int, location: int) -> None:
        """The entry is used again, so its flush is over."""
        if location in self.removals:
            self._check(index, location)

    def table_linked(self, index: int, location: int) -> None:
        """The entry is used again as a table, so its flush is over."""
        if location in self.removals:
            self._check(index, location)

    def returned(self, index: int, thread: int) -> None:
        """The call that removed the entries is over, and so is their flush."""
        if self.removals:
            for location, removal in list(self.removals.items()):
                if removal.thread == thread:
                    self._check(index, location)

    def _check(self, index: int, location: int) -> None:
        removal = self.removals.pop(location)
        world = self.world
        if removal.flush < 0 or not world.window:
            return
        for at in (location, *removal.pages):
            record = world.window.record(at)
            if record is None or not record.flushable():
                continue
            own = at == location
            kind = "table" if removal.table else leaf_kind(removal.level)
            left = "the entry itself" if own else "an entry below the removed table"
            aux = world.events[removal.flush][5]
            operation = OPERATION_NAMES.get(aux & TLBI_OPERATION, "of the VMID")
            self.violation(
                f"{kind} removed, TLBI {operation}, {left} still cached",
                f"{world.name(removal.thread)} removed the {kind} at IPA {removal.ipa:#x} and "
                f"completed a TLBI {operation}, but {left} (IPA {record.ipa:#x}) may still be "
                "cached",
                removal.index,
                removal.flush,
                index,
            )
            return
