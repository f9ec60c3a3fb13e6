"""H9: EL2's locks are taken in one order: the table of VMs, the host, then EL2 or a guest."""

from stage2fuzz.events import (
    LOCK_EL2_OTHER,
    LOCK_GUEST,
    LOCK_GUEST_POOL,
    LOCK_HOST_STAGE2,
    LOCK_HYP_STAGE1,
    LOCK_VM_TABLE,
)
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.violation import Category


def rank(lock: int) -> int:
    """A lock's place in the order; allocators come last, since everybody allocates."""
    if lock == LOCK_VM_TABLE:
        return 0
    if lock == LOCK_HOST_STAGE2:
        return 1
    if lock == LOCK_HYP_STAGE1 or LOCK_GUEST <= lock < LOCK_GUEST_POOL:
        return 2
    return 3


def lock_name(lock: int) -> str:
    """The lock as the kernel's code knows it."""
    if lock == LOCK_VM_TABLE:
        return "vm_table_lock"
    if lock == LOCK_HOST_STAGE2:
        return "host_mmu.lock"
    if lock == LOCK_HYP_STAGE1:
        return "pkvm_pgd_lock"
    if LOCK_GUEST <= lock < LOCK_GUEST_POOL:
        return "a guest's lock"
    return "an allocator's lock" if lock >= LOCK_EL2_OTHER else f"lock {lock}"


class EL2LockOrder(Oracle):
    """Two locks that are taken in both orders deadlock, sooner or later."""

    oracle = "H9"
    rule = "lock order"
    category = Category.PROGRESS
    why = "EL2 takes the table of VMs, the host's lock, then its own or a guest's, in that order."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.held: dict[int, list[int]] = self.per_run({})

    def lock(self, index: int, thread: int, lock: int) -> None:
        """A CPU took a lock while it held these."""
        held = self.held.setdefault(thread, [])
        for outer in held:
            if rank(outer) > rank(lock) or (rank(outer) == rank(lock) == 2 and outer > lock):
                self.violation(
                    f"{lock_name(lock)} under {lock_name(outer)}",
                    f"CPU {thread} took {lock_name(lock)} while it held {lock_name(outer)}",
                    index,
                )
        held.append(lock)

    def unlock(self, thread: int, lock: int) -> None:
        """A CPU released a lock."""
        held = self.held.get(thread, [])
        if lock in held:
            held.remove(lock)
