"""C9: a block is used only where host, memslot and dirty log allow it."""

from stage2fuzz.arch import LAST_LEVEL, PTE_ADDRESS
from stage2fuzz.events import CALL_RELAX, HOST_PMD, HOST_PUD, SLOT_LOGGING, SLOT_READONLY
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.facts import BackingFact, Call, Fault, SlotFact


class MappingSize(Oracle):
    """Smaller than possible is always fine; a block may stay, write-protected, as logging starts.

    Relaxing in place changes no larger leaf than the fault was about (fix 7d894834a305): a block
    made writable for the write of one page is written unseen. A smaller leaf gets no more than the
    fault looked up.
    """

    oracle = "C9"
    rule = "mapping size"
    why = "Blocks only where slot and host page cover them and nothing is logged."

    def leaf_installed(
        self,
        index: int,
        thread: int,
        new: int,
        level: int,
        ipa: int,
        fault: Fault | None,
        slot: SlotFact | None,
        backing: BackingFact | None,
    ) -> None:
        """A fault's new block against slot, host page and logging."""
        world = self.world
        if level == LAST_LEVEL or fault is None:
            return
        end = ipa + self.world.sizes[level]
        if slot is not None and not (slot[0] <= ipa and end <= slot[1]):
            why = "beyond its memslot"
        elif backing is not None and not (backing[0] <= ipa and end <= backing[1]):
            why = "beyond its host page"
        elif backing is not None and not backing[3] & (HOST_PMD | HOST_PUD):
            why = "of what the host maps by pages"
        elif backing is not None and not self._in_one(backing, new & PTE_ADDRESS, level):
            why = "beyond its host page"
        elif (
            slot is not None
            and slot[2] & (SLOT_LOGGING | SLOT_READONLY) == SLOT_LOGGING
            and slot[3] < fault[0]
        ):
            why = "while its memslot is logged"
        else:
            return
        self.violation(
            f"block {why}",
            f"{world.name(thread)} mapped {self.pte(new, level)} at IPA {ipa:#x} {why}",
            fault[0],
            index,
        )

    def _in_one(self, backing: BackingFact, address: int, level: int) -> bool:
        """Whether one mapping of the host, which is aligned in its addresses, holds a block."""
        sizes = self.world.sizes
        size = sizes[1] if backing[3] & HOST_PUD else sizes[2]
        return address % size + sizes[level] <= size

    def leaf_changed(
        self,
        index: int,
        thread: int,
        new: int,
        level: int,
        ipa: int,
        fault: Fault | None,
        call: Call | None,
    ) -> None:
        """A leaf that was relaxed in place is no larger than the fault was about."""
        world = self.world
        if fault is None or call is None or call[1] != CALL_RELAX:
            return
        if level < fault[4] or call[3] < self.world.sizes[level]:
            self.violation(
                "relax at another level",
                f"{world.name(thread)} relaxed {self.pte(new, level)} at IPA {ipa:#x} for a "
                f"mapping of {call[3]:#x} bytes and a fault at level {fault[4]}: more was relaxed "
                "than the fault was about",
                fault[0],
                index,
            )
