"""C5: what the host maps read-only the guest can't write."""

from stage2fuzz.arch import PTE_WRITE
from stage2fuzz.events import HOST_ABSENT, HOST_WRITE
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import BackingFact


class ReadonlyHostPage(Oracle):
    """From the start of the host's invalidation on no leaf and no cached leaf has W.

    W is fine where the lookup itself made the page writable, as a write fault does.
    """

    oracle = "C5"
    rule = "host-read-only page"
    why = "A page that the host maps without write is writable in no leaf and no TLB."

    def leaf_installed(
        self, index: int, thread: int, new: int, level: int, ipa: int, backing: BackingFact | None
    ) -> None:
        """A new leaf, or more rights on an old one."""
        if new & PTE_WRITE and backing is not None and not backing[3] & (HOST_WRITE | HOST_ABSENT):
            self.violation(
                f"{leaf_kind(level)} made writable",
                f"{self.world.name(thread)} made {self.pte(new, level)} at IPA {ipa:#x} writable, "
                "but the host maps that page read-only",
                max(backing[4], 0),
                index,
            )

    leaf_changed = leaf_installed

    def invalidate_end(self, index: int, ipa: int, size: int) -> None:
        """The host is done: nothing writable may be left of a page it protected."""
        world = self.world
        backing = world.backing_of(ipa)
        if backing is None or backing[3] & (HOST_WRITE | HOST_ABSENT) or world.destroying:
            return
        for leaf, level, first, _location in world.leaves(ipa, ipa + size):
            if leaf & PTE_WRITE:
                self._left(index, leaf, level, first, "mapped")
        for pe in range(world.vcpus if world.window else 0):
            for leaf, level in world.window.leaves(pe, ipa):
                if leaf & PTE_WRITE:
                    self._left(index, leaf, level, ipa, "cached")

    def _left(self, index: int, leaf: int, level: int, ipa: int, how: str) -> None:
        self.violation(
            f"{leaf_kind(level)} still {how}",
            f"the host made IPA {ipa:#x} read-only, but {self.pte(leaf, level)} is still {how}",
            index,
        )
