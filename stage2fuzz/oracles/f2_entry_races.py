"""F2: under the shared lock entries change by cmpxchg, or by the owner of the locked marker."""

from stage2fuzz.arch import is_locked
from stage2fuzz.events import LOCK_MMU, ORDER_CAS, PENDING
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.facts import LOCK_SHARED
from stage2fuzz.rules import Rules


class EntryRaces(Oracle):
    """A plain store to a linked entry in a shared walk loses another walker's update."""

    oracle = "F2"
    rule = "entry races"
    why = "A shared walk writes linked entries by cmpxchg or over its own locked marker only."

    @classmethod
    def applies(cls, rules: Rules) -> bool:
        """The rule holds where faults walk in parallel."""
        return rules.shared_faults

    def store(self, index: int, thread: int, location: int, old: int, order: int) -> None:
        """A store that is not a cmpxchg, under a lock that others hold too."""
        if order & ~PENDING == ORDER_CAS or is_locked(old):
            return
        held = self.world.held.get(thread, ())
        if LOCK_MMU | LOCK_SHARED in held and location & -self.world.page_size in self.world.pages:
            self.violation(
                "plain store in a shared walk",
                f"{self.world.name(thread)} wrote a linked entry with a plain store while it held "
                "mmu_lock for reading only",
                index,
            )
