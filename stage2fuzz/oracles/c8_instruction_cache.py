"""C8: a page becomes executable only after its instructions can be fetched right."""

from stage2fuzz.arch import EXECUTE, PTE_ADDRESS, rights
from stage2fuzz.events import ROOT_DIC
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import Fault


class InstructionCache(Oracle):
    """A fault invalidates the instruction cache for the page before it grants X.

    A CPU with CTR_EL0.DIC needs no maintenance, and there every leaf may be executable. The data
    cache is C14's.
    """

    oracle = "C8"
    rule = "cache maintenance before visibility"
    why = "Execute permission is granted only after instruction-cache invalidation of the page."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.invalidated: list[tuple[int, int, int]] = self.per_run([])

    def icache_invalidate(self, index: int, address: int, size: int) -> None:
        """Instructions of [where, where + old) are fetched anew from here on."""
        self.invalidated.append((address, address + size, index))

    def leaf_installed(
        self, index: int, thread: int, new: int, level: int, ipa: int, fault: Fault | None
    ) -> None:
        """A new leaf, executable or not."""
        if fault is not None and rights(new) & EXECUTE:
            self._check(index, thread, new, level, ipa)

    def leaf_changed(
        self, index: int, thread: int, old: int, new: int, level: int, ipa: int, fault: Fault | None
    ) -> None:
        """Execute permission added to a leaf."""
        if fault is not None and rights(new) & ~rights(old) & EXECUTE:
            self._check(index, thread, new, level, ipa)

    def _check(self, index: int, thread: int, new: int, level: int, ipa: int) -> None:
        if self.world.machine & ROOT_DIC:
            return
        start = new & PTE_ADDRESS
        since = self.world.arrival(ipa, start)
        end = start + self.world.sizes[level]
        if not any(a <= start and end <= b and since < at for a, b, at in self.invalidated):
            self.violation(
                f"executable without invalidation, {leaf_kind(level)}",
                f"{self.world.name(thread)} granted execute on {self.pte(new, level)} at IPA "
                f"{ipa:#x} without instruction-cache invalidation: stale instructions may run",
                index,
            )
