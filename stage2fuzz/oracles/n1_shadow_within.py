"""N1: a shadow maps no more than both the guest hypervisor and the host do."""

from stage2fuzz.arch import LAST_LEVEL, PTE_ADDRESS, PTE_WRITE
from stage2fuzz.events import HOST_WRITE, TREE_SHIFT
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.facts import NO_ENTRIES, Fault, guest_grants, host_address


class ShadowWithin(Oracle):
    """A shadow's leaf is the composition of two translations, and grants what both grant.

    The guest hypervisor's entry names one of its own pages and the rights of its guest; the host
    has a page behind that. The leaf points to the host's page, and permits no more than either.
    Which of the entries that there were may still be used is N2's rule; here it is enough that one
    of them says so. The guest hypervisor of our scenarios maps pages, so no block is right.
    """

    oracle = "N1"
    rule = "shadow within both stages"
    why = "A shadow maps what the guest hypervisor and the host map, with the rights of both."

    def leaf_installed(
        self,
        index: int,
        thread: int,
        location: int,
        new: int,
        level: int,
        ipa: int,
        fault: Fault | None,
    ) -> None:
        """A shadow has a leaf where it had none."""
        self._made(index, thread, location, new, level, ipa, fault)

    def leaf_changed(
        self,
        index: int,
        thread: int,
        location: int,
        new: int,
        level: int,
        ipa: int,
        fault: Fault | None,
    ) -> None:
        """A leaf of a shadow grants more, or points elsewhere."""
        self._made(index, thread, location, new, level, ipa, fault)

    def _made(
        self,
        index: int,
        thread: int,
        location: int,
        new: int,
        level: int,
        ipa: int,
        fault: Fault | None,
    ) -> None:
        """A fault gave the shadow what it did not have."""
        if not ipa >> TREE_SHIFT or fault is None:
            return
        world = self.world
        origin = world.origin.get(location, 0)
        entries = world.guest_entries.get(world.guest_page_of(ipa), NO_ENTRIES)
        backing = world.backing_of(origin)
        if level != LAST_LEVEL:
            problem = "is a block, but the guest hypervisor maps pages"
        elif not any(guest_grants(entry, origin, new) for _at, entry in entries):
            problem = "is nothing that the guest hypervisor's tables ever said"
        elif backing is None:
            problem = "is no page of a memslot"
        elif new & PTE_ADDRESS != host_address(backing, origin):
            problem = "is not the page that the host has there by now"
        elif new & PTE_WRITE and not backing[3] & HOST_WRITE:
            problem = "is writable, but the host's page is not"
        else:
            return
        self.violation(
            f"a leaf that {problem}",
            f"{world.name(thread)} made {self.pte(new, level)} in shadow MMU {ipa >> TREE_SHIFT} "
            f"for L2's {ipa & (1 << TREE_SHIFT) - 1:#x}, L1's {origin:#x}, which {problem}",
            fault[0],
            index,
        )

    def invalidate_end(self, index: int, ipa: int, size: int) -> None:
        """What shadows map of the host's range is current again."""
        world = self.world
        for tree in world.trees:
            if not tree:
                continue
            start = tree << TREE_SHIFT
            for leaf, level, first, location in world.leaves(start, start + (1 << 48)):
                origin = world.origin.get(location, 0)
                backing = world.backing_of(origin)
                if (
                    ipa <= origin < ipa + size
                    and backing is not None
                    and leaf & PTE_ADDRESS != host_address(backing, origin)
                ):
                    self.violation(
                        "a stale page after an invalidation of the host",
                        f"the invalidation of L1's {origin:#x} ended with {self.pte(leaf, level)} "
                        f"still in shadow MMU {tree} for L2's {first - start:#x}, but the host has "
                        f"{host_address(backing, origin):#x} there",
                        world.since.get(location, index),
                        index,
                    )
