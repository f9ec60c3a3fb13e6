"""N5: what a nested guest can write in a logged memslot is marked dirty."""

from stage2fuzz.arch import PTE_WRITE
from stage2fuzz.events import TREE_SHIFT
from stage2fuzz.oracles.base import Oracle


class ShadowDirty(Oracle):
    """D3 for shadows: at the end a writable leaf of a logged page has its dirty bit set."""

    oracle = "N5"
    rule = "writable shadow is dirty"
    why = "At the end each writable leaf of a shadow for a logged page has its dirty bit set."

    def quiescent(self, index: int) -> None:
        """No handler is running, so every writable leaf has its mark."""
        world = self.world
        for tree in world.trees:
            if not tree:
                continue
            start = tree << TREE_SHIFT
            for leaf, level, first, location in world.leaves(start, start + (1 << 48)):
                origin = world.origin.get(location, 0)
                if leaf & PTE_WRITE and world.logs(origin) and origin not in world.dirty:
                    self.violation(
                        "writable, not dirty",
                        f"at the end {self.pte(leaf, level)} is in shadow MMU {tree} for L2's "
                        f"{first - start:#x}, L1's {origin:#x} of a logged memslot, but its dirty "
                        "bit is clear: the next write is lost",
                        world.since.get(location, index),
                        index,
                    )
