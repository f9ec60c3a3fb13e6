"""N7: whether a VNCR pseudo-TLB is valid changes under mmu_lock alone."""

from stage2fuzz.events import LOCK_MMU
from stage2fuzz.oracles.base import Oracle


class VncrLock(Oracle):
    """Every vCPU's pseudo-TLB is looked at, and invalidated, by whoever handles a TLBI or a
    notifier: a vCPU that invalidates its own without the lock does so at the same time."""

    oracle = "N7"
    rule = "VNCR under its lock"
    why = "A vCPU's VNCR pseudo-TLB becomes valid or invalid under mmu_lock, held for writing."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.writers: dict[int, int] = self.per_run({})
        """Threads that hold mmu_lock for writing, since when."""

    def lock(self, index: int, thread: int, lock: int, shared: int) -> None:
        """A lock was taken."""
        if lock == LOCK_MMU and not shared:
            self.writers[thread] = index

    def unlock(self, thread: int, lock: int) -> None:
        """A lock was released."""
        if lock == LOCK_MMU:
            self.writers.pop(thread, None)

    def vncr_valid(self, index: int, thread: int, vcpu: int) -> None:
        """A pseudo-TLB's validity is written."""
        if thread not in self.writers:
            self.violation(
                "validity without mmu_lock",
                f"{self.world.name(thread)} writes whether the VNCR pseudo-TLB of vCPU {vcpu} is "
                "valid without holding mmu_lock for writing: a notifier may invalidate it at the "
                "same time",
                index,
            )
