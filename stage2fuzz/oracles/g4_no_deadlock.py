"""G4: nobody waits in a circle, and nobody sleeps with mmu_lock."""

from stage2fuzz.events import LOCK_HYP, LOCK_MMAP, LOCK_MMU, LOCK_SLOTS, TOPUP_SINGLE
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.facts import LOCK_NAME
from stage2fuzz.oracles.violation import Category

LOCK_NAMES = {
    LOCK_MMU: "mmu_lock",
    LOCK_MMAP: "mmap_lock",
    LOCK_HYP: "kvm_hyp_pgd_mutex",
    LOCK_SLOTS: "slots_lock",
}


def _lock(name: int) -> str:
    return LOCK_NAMES.get(name) or f"lock {name} of EL2"


class NoDeadlock(Oracle):
    """A deadlock that happened, two locks taken in both orders, a sleep under the spin lock."""

    oracle = "G4"
    rule = "no deadlock"
    category = Category.PROGRESS
    why = "No run deadlocks, no two locks are taken in both orders, nobody sleeps with mmu_lock."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.orders: dict[tuple[int, int], int] = self.per_run({})

    def deadlock(self, index: int, waiting: int) -> None:
        """The engine found that no thread can go on."""
        world = self.world
        names = [world.name(t) for t in range(world.threads) if waiting >> t & 1]
        self.violation(
            f"{len(names)} threads wait",
            f"deadlock: {' and '.join(names)} wait and nobody can go on",
            index,
        )

    def lock_nested(self, index: int, thread: int, lock: int, held: tuple[int, ...]) -> None:
        """A lock is taken while others are held, in the same order everywhere."""
        for name in held:
            outer = name & LOCK_NAME
            self.orders.setdefault((outer, lock), index)
            other = self.orders.get((lock, outer))
            if other is not None and outer != lock:
                first, second = sorted((_lock(outer), _lock(lock)))
                self.violation(
                    f"{first} and {second} in both orders",
                    f"{self.world.name(thread)} took {_lock(lock)} under "
                    f"{_lock(outer)}, and another path takes them the other way round",
                    other,
                    index,
                )

    def pin(self, index: int, thread: int) -> None:
        """A host page lookup may sleep, so mmu_lock is not held."""
        self._sleeps(index, thread, "looked the host page up")

    def topup(self, index: int, thread: int, pages: int) -> None:
        """A top-up may sleep, so mmu_lock is not held."""
        if pages != TOPUP_SINGLE:
            self._sleeps(index, thread, "topped its cache up")

    def _sleeps(self, index: int, thread: int, what: str) -> None:
        held = self.world.held.get(thread)
        if held and any(name & LOCK_NAME == LOCK_MMU for name in held):
            self.violation(
                f"{what} under mmu_lock",
                f"{self.world.name(thread)} {what}, which may sleep, while it held mmu_lock",
                index,
            )
