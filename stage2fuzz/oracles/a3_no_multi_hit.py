"""A3: no PE can hold two translations of one address that contradict each other."""

from stage2fuzz.arch import LAST_LEVEL, PTE_ADDRESS, PTE_IN_PLACE, PTE_TYPE
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.window import cacheable


class NoMultiHit(Oracle):
    """Whatever any TLB may still hold agrees with a new leaf, but for permissions (RFVQCK).

    Asked on the whole set of what could be cached, so one pass through a bad window is enough.
    The symptom on hardware is a TLB conflict abort, or a translation that is a mix of both.
    """

    oracle = "A3"
    rule = "no multi-hit"
    why = "No TLB can hold two valid leaves of one IPA that differ in more than permissions."

    def leaf_installed(self, index: int, thread: int, new: int, level: int, ipa: int) -> None:
        """A new leaf against all stale ones of its range."""
        if self.world.window:
            self._compare(index, thread, new, level, ipa)

    def leaf_changed(self, index: int, thread: int, new: int, level: int, ipa: int) -> None:
        """A changed leaf against all stale ones of its range."""
        if self.world.window:
            self._compare(index, thread, new, level, ipa)

    def _compare(self, index: int, thread: int, new: int, level: int, ipa: int) -> None:
        if not cacheable(new, level):
            return
        world, end = self.world, ipa + self.world.sizes[level]
        for record in world.window:
            if record.ipa >= end or record.end <= ipa:
                continue
            for pe in range(world.vcpus):
                for value in record.stale(pe):
                    if record.level < LAST_LEVEL and value & PTE_TYPE == PTE_TYPE:
                        continue
                    if record.level != level:
                        what = "size"
                    elif (value ^ new) & PTE_ADDRESS:
                        what = "output address"
                    elif (value ^ new) & ~PTE_IN_PLACE:
                        what = "memory attributes"
                    else:
                        continue
                    self.violation(
                        f"{what}, {leaf_kind(record.level)} still cached, {leaf_kind(level)} new",
                        f"{world.name(thread)} installed {self.pte(new, level)} for IPA {ipa:#x} "
                        f"while {world.name(pe)} may still hold {self.pte(value, record.level)}: "
                        f"two translations of one address that differ in {what}",
                        index,
                    )
                    return
