"""A1: what must go through an invalid entry is never changed in place."""

from stage2fuzz.arch import (
    LAST_LEVEL,
    PTE_ADDRESS,
    PTE_CONTIGUOUS,
    PTE_DBM,
    PTE_IN_PLACE,
    PTE_MEMATTR,
    PTE_SHAREABILITY,
    PTE_TYPE,
    PTE_WRITE,
)
from stage2fuzz.oracles.base import Oracle, leaf_kind


class BreakRequired(Oracle):
    """A valid entry may change in permissions, access flag and software bits only (RWHZWS).

    An output address may also change between two read-only leaves: their contents are the same,
    or nobody could tell which one was read.
    """

    oracle = "A1"
    rule = "break required"
    why = "A valid entry is never given another address, size or memory type in place."

    def replaced(self, index: int, thread: int, old: int, new: int, level: int, ipa: int) -> None:
        """A valid entry was written over with another valid one."""
        changed = (old ^ new) & ~PTE_IN_PLACE
        if not changed:
            return
        tables = [level < LAST_LEVEL and value & PTE_TYPE == PTE_TYPE for value in (old, new)]
        readonly = not (old | new) & (PTE_WRITE | PTE_DBM)
        if not any(tables) and readonly and not changed & ~PTE_ADDRESS:
            return
        if tables[0] != tables[1]:
            what = "size"
        elif changed & PTE_ADDRESS:
            what = "table" if tables[0] else "output address"
        elif changed & PTE_MEMATTR:
            what = "memory type"
        elif changed & PTE_SHAREABILITY:
            what = "shareability"
        else:
            what = "contiguous bit" if changed & PTE_CONTIGUOUS else "another field"
        self.violation(
            f"{what} of a {'table' if tables[0] else leaf_kind(level)}",
            f"{self.world.name(thread)} changed {self.pte(old, level)} to {self.pte(new, level)} "
            f"at IPA {ipa:#x} in place: another {what} needs an invalid entry, a TLBI and its DSBs "
            "in between",
            index,
        )
