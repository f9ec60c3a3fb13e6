"""E5: table pages come from a cache that was filled before the lock."""

from stage2fuzz.events import LOCK_MMU, TOPUP_SINGLE, WARN_MEMORY_CACHE
from stage2fuzz.oracles.base import Oracle, fault_name
from stage2fuzz.oracles.facts import LOCK_NAME


class AllocationContext(Oracle):
    """No system allocation under mmu_lock or in an RCU section, and no fault without a top-up.

    A top-up may fail with -ENOMEM, and the fault ends so. What finds the cache empty never does:
    kvm_mmu_memory_cache_alloc warns, takes a page from the system's reserve, and stops the kernel
    where there is none. A caller must not come there, whoever it is.
    """

    oracle = "E5"
    rule = "allocation fits the context"
    why = "No system allocation under mmu_lock; a fault that needs a table page topped up first."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.filled: dict[int, int] = self.per_run({})
        self.readers: dict[int, int] = self.per_run({})

    def topup(self, index: int, thread: int, pages: int) -> None:
        """The thread filled its cache, or at least tried."""
        if pages != TOPUP_SINGLE:
            self.filled[thread] = index

    def rcu_lock(self, index: int, thread: int) -> None:
        """The thread must not sleep from here on."""
        self.readers[thread] = index

    def rcu_unlock(self, thread: int) -> None:
        """The thread may sleep again."""
        self.readers.pop(thread, None)

    def alloc(self, index: int, thread: int, page: int, system: int) -> None:
        """A table page was taken: from the cache (0), by an allocation that may sleep (1) or that
        may not (2)."""
        if system != 1:
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

    def warn(self, index: int, thread: int, warning: int) -> None:
        """A table page was wanted where the memory cache was empty."""
        if warning != WARN_MEMORY_CACHE:
            return
        fault = self.world.faults.get(thread)
        if fault is None:
            self.violation(
                "memory cache empty, no fault",
                f"{self.world.name(thread)} took a table page from an empty memory cache",
                index,
            )
            return
        topped = self.filled.get(thread, -1) >= fault[0]
        what = "topped up too little" if topped else "no top-up"
        did = "topped its cache up with too few" if topped else "never topped its cache up"
        self.violation(
            f"{what}, {fault_name(fault)}",
            f"{self.world.name(thread)}'s {fault_name(fault)} at IPA {fault[1]:#x} needed a table "
            f"page but {did}: kvm_mmu_memory_cache_alloc warns",
            fault[0],
            index,
        )
