"""C4: nothing in a read-only memslot is writable."""

from stage2fuzz.arch import PTE_WRITE
from stage2fuzz.events import SLOT_READONLY
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import SlotFact


class ReadonlySlot(Oracle):
    """A write there exits to user space instead; reads and table walks are fine."""

    oracle = "C4"
    rule = "read-only slot"
    why = "No leaf of a read-only memslot grants write."

    def leaf_installed(
        self, index: int, thread: int, new: int, level: int, ipa: int, slot: SlotFact | None
    ) -> None:
        """A new leaf, or more rights on an old one."""
        if new & PTE_WRITE and slot is not None and slot[2] & SLOT_READONLY:
            self.violation(
                leaf_kind(level),
                f"{self.world.name(thread)} made {self.pte(new, level)} at IPA {ipa:#x} writable "
                "in a read-only memslot",
                index,
            )

    leaf_changed = leaf_installed
