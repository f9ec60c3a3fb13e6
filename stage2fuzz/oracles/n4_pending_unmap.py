"""N4: nobody runs on a recycled shadow MMU before it was emptied."""

from stage2fuzz.arch import describe, is_leaf
from stage2fuzz.events import TREE_SHIFT
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.facts import UNBOUND


class PendingUnmap(Oracle):
    """A recycled MMU still maps its last context: all goes before any vCPU enters the guest."""

    oracle = "N4"
    rule = "recycled MMU is empty"
    why = "No access of a nested guest is translated by what an MMU maps for the context before."

    def access(self, index: int, thread: int, ipa: int) -> None:
        """An access got through; the leaf it used was made for this context."""
        world = self.world
        tree = ipa >> TREE_SHIFT
        if not tree:
            return
        leaf, level, location = world.leaf_at(ipa)
        bound, vmid = world.bindings.get(tree, UNBOUND)
        if is_leaf(leaf, level) and world.since.get(location, bound) < bound:
            self.violation(
                "an access uses an entry of the context before",
                f"{world.name(thread)} runs VMID {vmid} of the guest hypervisor and used "
                f"{describe(leaf, level)}, which shadow MMU {tree} has from the context before",
                world.since.get(location, bound),
                bound,
                index,
            )
