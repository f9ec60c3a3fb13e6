"""D4: when dirty logging is on, nothing older can be written unseen."""

from stage2fuzz.arch import PTE_WRITE
from stage2fuzz.events import CALL_LOG_ENABLE, SLOT_LOGGING
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import Call


class LoggingStart(Oracle):
    """At the return of "dirty log on" no leaf from before is writable unless its bit is set.

    What a TLB may still hold of those that were write-protected is B1's question.
    """

    oracle = "D4"
    rule = "logging start"
    why = "After dirty logging was switched on, no older leaf is writable without its bit."
    returns = (CALL_LOG_ENABLE,)

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.switched: dict[int, bool] = self.per_run({})
        """Threads whose call in progress has really switched logging on."""

    def slot(self, thread: int, flags: int) -> None:
        """Only a slot that was not logged before has older leaves to protect."""
        if flags & SLOT_LOGGING:
            self.switched[thread] = True

    def returned(self, index: int, thread: int, result: int, call: Call | None) -> None:
        """Logging is on; what is writable from before has its bit set."""
        world = self.world
        if call is None or result or not self.switched.pop(thread, False):
            return
        slot = world.slot_of(call[2])
        if slot is None:
            return
        for leaf, level, ipa, location in world.leaves(slot[0], slot[1]):
            older = world.since.get(location, index) < call[0]
            if leaf & PTE_WRITE and older and ipa & -self.world.page_size not in world.dirty:
                self.violation(
                    f"{leaf_kind(level)} left writable",
                    f"dirty logging is on, but {self.pte(leaf, level)} at IPA {ipa:#x} from before "
                    "is still writable: its writes are lost",
                    world.since.get(location, call[0]),
                    index,
                )
