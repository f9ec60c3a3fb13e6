"""E5: table pages come from a cache that was filled before the lock."""

from stage2fuzz.events import CALL_MAP, ENOMEM, LOCK_MMU
from stage2fuzz.oracles.base import Oracle, fault_name
from stage2fuzz.oracles.facts import LOCK_NAME


class AllocationContext(Oracle):
    """No system allocation under mmu_lock or in an RCU section, and no fault without a top-up.

    A top-up may fail with -ENOMEM, and a cache that was topped up may be too small; a fault that
    runs dry because it never tried is the bug.
    """

    oracle = "E5"
    rule = "allocation fits the context"
    why = "No system allocation under mmu_lock; a fault that needs a table page topped up first."
    returns = (CALL_MAP,)

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.filled: dict[int, int] = self.per_run({})
        self.readers: dict[int, int] = self.per_run({})

    def topup(self, index: int, thread: int) -> None:
        """The thread filled its cache, or at least tried."""
        self.filled[thread] = index

    def rcu_lock(self, index: int, thread: int) -> None:
        """The thread must not sleep from here on."""
        self.readers[thread] = index

    def rcu_unlock(self, thread: int) -> None:
        """The thread may sleep again."""
        self.readers.pop(thread, None)

    def alloc(self, index: int, thread: int, page: int, system: int) -> None:
        """A table page was taken, from the cache (0) or from the system allocator (1)."""
        if not system:
            return
        held = self.world.held.get(thread, ())
        locked = any(name & LOCK_NAME == LOCK_MMU for name in held)
        if locked or thread in self.readers:
            self.violation(
                "system allocation " + ("under mmu_lock" if locked else "in an RCU section"),
                f"{self.world.name(thread)} asked the system for table page {page:#x} while it "
                "must not sleep",
                index,
            )

    def returned(self, index: int, thread: int, result: int) -> None:
        """A map that failed for want of a page belongs to a fault that had topped up."""
        if result != -ENOMEM:
            return
        fault = self.world.faults.get(thread)
        if fault is not None and self.filled.get(thread, -1) < fault[0]:
            self.violation(
                f"no top-up, {fault_name(fault)}",
                f"{self.world.name(thread)}'s {fault_name(fault)} at IPA {fault[1]:#x} needed a "
                "table page but never topped its cache up: -ENOMEM",
                fault[0],
                index,
            )
