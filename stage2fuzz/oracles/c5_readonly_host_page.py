"""C5: what the host maps read-only the guest can't write."""

from stage2fuzz.arch import PTE_WRITE, describe
from stage2fuzz.events import HOST_ABSENT, HOST_WRITE
from stage2fuzz.oracles.base import Oracle, leaf_kind


class ReadonlyHostPage(Oracle):
    """From the start of the host's invalidation on no leaf and no cached leaf has W.

    W is fine where the lookup itself made the page writable, as a write fault does.
    """

    oracle = "C5"
    rule = "host-read-only page"
    why = "A page that the host maps without write is writable in no leaf and no TLB."

    def leaf_installed(
        self, index: int, thread: int, _location: int, _old: int, new: int, level: int, ipa: int
    ) -> None:
        """A new leaf, or more rights on an old one."""
        if new & PTE_WRITE:
            self._written(index, thread, new, level, ipa)

    leaf_changed = leaf_installed

    def _written(self, index: int, thread: int, new: int, level: int, ipa: int) -> None:
        backing = self.world.its_backing
        if backing is not None and not backing[3] & (HOST_WRITE | HOST_ABSENT):
            self.violation(
                f"{leaf_kind(level)} made writable",
                f"{self.world.name(thread)} made {describe(new, level)} at IPA {ipa:#x} writable, "
                "but the host maps that page read-only",
                max(backing[4], 0),
                index,
            )

    def invalidate_end(
        self, index: int, _thread: int, where: int, old: int, _new: int, _aux: int
    ) -> None:
        """The host is done: nothing writable may be left of a page it protected."""
        world = self.world
        backing = world.backing_of(where)
        if backing is None or backing[3] & (HOST_WRITE | HOST_ABSENT):
            return
        for leaf, level, ipa, _location in world.leaves(where, where + old):
            if leaf & PTE_WRITE:
                self._left(index, leaf, level, ipa, "mapped")
        for pe in range(world.vcpus if world.window else 0):
            for leaf, level in world.window.leaves(pe, where):
                if leaf & PTE_WRITE:
                    self._left(index, leaf, level, where, "cached")

    def _left(self, index: int, leaf: int, level: int, ipa: int, how: str) -> None:
        self.violation(
            f"{leaf_kind(level)} still {how}",
            f"the host made IPA {ipa:#x} read-only, but {describe(leaf, level)} is still {how}",
            index,
        )
