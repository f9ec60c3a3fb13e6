"""D3: when all is quiet, what can be written in a logged slot is marked dirty."""

from stage2fuzz.arch import PTE_WRITE, is_leaf
from stage2fuzz.events import SLOT_LOGGING, SLOT_READONLY
from stage2fuzz.oracles.base import Oracle, leaf_kind


class WritableIsDirty(Oracle):
    """Any leaf, current or cached, with W in a logging slot has its bit set.

    It holds at quiescence only: a handler may grant first and mark later. It finds D1's faults
    without waiting for the write that gets lost.
    """

    oracle = "D3"
    rule = "writable implies dirty"
    why = "At the end each leaf or cached leaf with W in a logged slot has its dirty bit set."

    def quiescent(self, index: int) -> None:
        """No handler is running, so every writable leaf has its mark."""
        world = self.world
        for start, end, flags, _event in world.slots.values():
            if flags & (SLOT_LOGGING | SLOT_READONLY) != SLOT_LOGGING:
                continue
            for leaf, level, ipa, location in world.leaves(start, end):
                if leaf & PTE_WRITE and ipa & -self.world.page_size not in world.dirty:
                    self._clean(index, leaf, level, ipa, "mapped", world.since.get(location, index))
            for record in world.window:
                if not start <= record.ipa < end or record.ipa in world.dirty:
                    continue
                for pe in range(world.vcpus):
                    for leaf in record.stale(pe):
                        if is_leaf(leaf, record.level) and leaf & PTE_WRITE:
                            self._clean(index, leaf, record.level, record.ipa, "cached", index)

    def _clean(self, index: int, leaf: int, level: int, ipa: int, how: str, since: int) -> None:
        self.violation(
            f"{leaf_kind(level)} {how}",
            f"at the end {self.pte(leaf, level)} is {how} for IPA {ipa:#x} of a logged memslot, "
            "but its dirty bit is clear: the next write is lost",
            since,
            index,
        )
