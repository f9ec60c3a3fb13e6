"""B4: a host page that was given away is out of the guest's reach."""

from stage2fuzz.arch import PTE_ADDRESS, is_leaf
from stage2fuzz.events import HOST_ABSENT
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.facts import host_address


class ReleasedPage(Oracle):
    """From the host's change of a page on, the old one is neither mapped, cached nor accessed.

    Before that, between the request and the return of the notifier's start, any use is fine.
    """

    oracle = "B4"
    rule = "released page unreachable"
    why = "After the host moved a page, no guest access or translation reaches the old one."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.right: dict[int, int] = self.per_run({})
        """IPA -> host address that was right since the host last changed anything."""

    def backing(self, index: int, thread: int, ipa: int, size: int, address: int) -> None:
        """The host has another page there from now on."""
        if thread < 0:
            return
        self.right.clear()
        world = self.world
        if world.destroying:
            return  # nobody runs a dead VM, whatever PEs hold of its VMID
        before = next((b for b in reversed(world.backings[:-1]) if b[0] <= ipa < b[1]), None)
        if before is None or before[2] + (ipa - before[0]) == address:
            return
        offset = before[2] - before[0]
        for leaf, level, first, _location in world.leaves(ipa, ipa + size):
            self._reachable(index, offset, leaf, level, first, "mapped", "is still mapped")
        for pe in range(world.vcpus if world.window else 0):
            for leaf, level in world.window.leaves(pe, ipa):
                first = ipa & -self.world.sizes[level]
                text = f"may still be cached by {world.name(pe)}"
                self._reachable(index, offset, leaf, level, first, "cached", text)

    def _reachable(
        self, index: int, offset: int, leaf: int, level: int, ipa: int, how: str, text: str
    ) -> None:
        """Whether ``leaf`` translates ``ipa`` to the page that was just given away."""
        # What an unmap left behind is its own fault (C1), and this no more than what comes of it.
        if (
            ipa not in self.world.left
            and is_leaf(leaf, level)
            and (leaf & PTE_ADDRESS == ipa + offset)
        ):
            self.violation(
                how,
                f"the host gave away page {leaf & PTE_ADDRESS:#x} of IPA {ipa:#x}, but its old "
                f"translation {text}",
                index,
            )

    def access(self, index: int, thread: int, ipa: int, address: int) -> None:
        """The guest reached some host page; it must be the one the host has there."""
        if self.right.get(ipa) == address:
            return
        backing = self.world.backing_of(ipa)
        if backing is None or backing[3] & HOST_ABSENT:
            return
        if address != host_address(backing, ipa):
            self.violation(
                "accessed",
                f"{self.world.name(thread)} accessed {address:#x} through IPA {ipa:#x}, a page "
                "that the host had given away",
                max(backing[4], 0),
                index,
            )
        else:
            self.right[ipa] = address
