"""A9: the tree is a tree, and each entry has an encoding that exists."""

from stage2fuzz.arch import LAST_LEVEL, PTE_ADDRESS, PTE_TABLE
from stage2fuzz.oracles.base import Oracle


class WellFormed(Oracle):
    """One link for each table page, block addresses aligned, no reserved encodings."""

    oracle = "A9"
    rule = "well-formed tree"
    why = "Each table has one parent; leaves have an aligned address and a legal encoding."

    def leaf_installed(self, index: int, thread: int, new: int, level: int, ipa: int) -> None:
        """A leaf's level decides what it may look like."""
        if level == LAST_LEVEL:
            if not new & PTE_TABLE:
                self._reserved(index, thread, ipa, "level 3 has no blocks")
        elif level == 0:
            self._reserved(index, thread, ipa, "level 0 has no leaves")
        elif new & PTE_ADDRESS & (self.world.sizes[level] - 1):
            self.violation(
                "misaligned block",
                f"{self.world.name(thread)} installed a block at IPA {ipa:#x} whose address "
                f"{new & PTE_ADDRESS:#x} is not aligned to its size",
                index,
            )

    def _reserved(self, index: int, thread: int, ipa: int, reason: str) -> None:
        self.violation(
            f"reserved encoding, {reason}",
            f"{self.world.name(thread)} wrote a reserved encoding for IPA {ipa:#x}: {reason}",
            index,
        )

    def table_linked(self, index: int, thread: int, new: int, ipa: int) -> None:
        """A page that hangs elsewhere already, or went back to the allocator."""
        page, world = new & PTE_ADDRESS, self.world
        if page in world.pages:
            self.violation(
                "table linked twice",
                f"{world.name(thread)} linked table {page:#x} for IPA {ipa:#x} though another "
                "entry links it already",
                index,
            )
        elif page in world.freed:
            self.violation(
                "freed table linked",
                f"{world.name(thread)} linked table {page:#x} for IPA {ipa:#x} after it was freed",
                world.freed[page],
                index,
            )
