"""C14: guest and host see the same bytes, whether the guest uses its caches or not."""

from stage2fuzz.arch import (
    PTE_ADDRESS,
    PTE_MEMATTR,
    PTE_MEMATTR_NORMAL,
)
from stage2fuzz.events import CALL_NAMES, CALL_UNMAP, HOST_DEVICE, ROOT_FWB
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import BackingFact, Call

LeafRemoval = tuple[int, int, int, int]
"""(event, address, level, IPA) of a leaf that an unmap took."""


class DataCache(Oracle):
    """Memory is cleaned to the point of coherency before a guest gets it and after it gave it back.

    A guest may turn its caches off, and then reads and writes pass them by: what the host wrote
    before must have left them, and lines that were filled by speculation must not hide later what
    the guest wrote. A CPU with FWB leaves the guest no such choice, and device memory is never
    cached.
    """

    oracle = "C14"
    rule = "data cache maintenance"
    why = "Without FWB, memory is cleaned and invalidated before it is mapped and after its unmap."
    returns = (CALL_UNMAP,)

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.cleaned: list[tuple[int, int, int]] = self.per_run([])
        self.removed: dict[int, list[LeafRemoval]] = self.per_run({})

    def dcache_clean(self, index: int, address: int, size: int) -> None:
        """The lines of a range were written back and dropped."""
        self.cleaned.append((address, address + size, index))

    def leaf_installed(
        self, index: int, thread: int, new: int, level: int, ipa: int, backing: BackingFact | None
    ) -> None:
        """The guest gets memory, once since the host put it there."""
        if backing is None or backing[3] & HOST_DEVICE or not self._cached(new):
            return
        start = new & PTE_ADDRESS
        if not self._clean(start, level, self.world.arrival(ipa, start)):
            self.violation(
                f"mapped without maintenance, {leaf_kind(level)}",
                f"{self.world.name(thread)} mapped {self.pte(new, level)} at IPA {ipa:#x} and "
                "nobody had cleaned the data cache of all of it: a guest with its caches off "
                "reads what was there before the host wrote",
                index,
            )

    def leaf_removed(
        self, index: int, thread: int, old: int, level: int, ipa: int, call: Call | None
    ) -> None:
        """An unmap takes memory back."""
        if call is not None and call[1] == CALL_UNMAP and self._cached(old):
            self.removed.setdefault(thread, []).append((index, old & PTE_ADDRESS, level, ipa))

    def returned(self, index: int, thread: int, code: int) -> None:
        """The host has its memory back."""
        if not self.removed:
            return
        for since, address, level, ipa in self.removed.pop(thread, ()):
            if not self._clean(address, level, since):
                self.violation(
                    f"unmapped without maintenance, {leaf_kind(level)}",
                    f"{CALL_NAMES[code]} of {self.world.name(thread)} returned without cleaning "
                    f"the data cache of {address:#x}, which it took from IPA {ipa:#x}: lines "
                    "filled before may hide what the guest wrote with its caches off",
                    since,
                    index,
                )

    def _cached(self, leaf: int) -> bool:
        return not self.world.machine & ROOT_FWB and leaf & PTE_MEMATTR == PTE_MEMATTR_NORMAL

    def _clean(self, start: int, level: int, since: int) -> bool:
        end = start + self.world.sizes[level]
        return any(a <= start and end <= b and since < at for a, b, at in self.cleaned)
