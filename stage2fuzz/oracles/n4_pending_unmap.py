"""N4: nobody runs on a recycled shadow MMU before it was emptied."""

from stage2fuzz.events import TREE_SHIFT
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.facts import UNBOUND


class PendingUnmap(Oracle):
    """A recycled MMU still maps its last context: all goes before any vCPU enters the guest."""

    oracle = "N4"
    rule = "recycled MMU is empty"
    why = "No vCPU runs a nested guest on an MMU that maps anything for the context before."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.recycled: dict[int, int] = self.per_run({})
        """Shadow MMU -> the event that gave it from one context to another."""

    def mmu_bind(self, index: int, tree: int, before: int) -> None:
        """An MMU is for another context; what it maps is still the last one's."""
        if before:
            self.recycled[tree] = index

    def access(self, index: int, thread: int, ipa: int) -> None:
        """A vCPU was in the guest: an access got through."""
        if self.recycled:
            self._ran(index, thread, ipa >> TREE_SHIFT)

    def fault(self, index: int, thread: int, ipa: int) -> None:
        """A vCPU was in the guest: an access took a fault."""
        if self.recycled:
            self._ran(index, thread, ipa >> TREE_SHIFT)

    def _ran(self, index: int, thread: int, tree: int) -> None:
        world = self.world
        bound = self.recycled.get(tree, -1)
        start = tree << TREE_SHIFT
        for leaf, level, first, location in world.leaves(start, start + (1 << 48)):
            if world.since.get(location, bound) < bound:
                self.violation(
                    "an entry of the context before",
                    f"{world.name(thread)} runs VMID {world.bindings.get(tree, UNBOUND)[1]} of the "
                    f"guest hypervisor on shadow MMU {tree}, which has {self.pte(leaf, level)} for "
                    f"L2's {first - start:#x} from the context before",
                    world.since.get(location, bound),
                    bound,
                    index,
                )
