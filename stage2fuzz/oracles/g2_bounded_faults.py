"""G2: a fault is worth it: no access faults because another vCPU broke what need not break."""

from stage2fuzz.arch import ACCESS_NAMES, FAULT_NAMES, PTE_PERMISSIONS, TRANSLATION, is_locked
from stage2fuzz.events import DRAIN, HARDWARE_AF, RETRY, STORE, WALK
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import Call
from stage2fuzz.oracles.violation import Category

ENOUGH = 3
"""Translation, permission, access flag: one resolver each in KVM."""


class BoundedFaults(Oracle):
    """Between two changes by others an access takes three faults at most.

    And a translation fault that hits the invalid moment of another vCPU's break-before-make counts
    at once, where the break changed permissions only: the mapping was there all the time. The
    invalid moments of a real change (another page, another size) are the price of that change.
    """

    oracle = "G2"
    rule = "bounded faults"
    category = Category.PROGRESS
    why = "No fault is caused by a needless break of another vCPU; three faults serve an access."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.victims: dict[int, list[tuple[int, int]]] = self.per_run({})
        """Event of the break -> (thread, event) of the faults it caused."""

    def fault(self, index: int, thread: int, ipa: int, status: int) -> None:
        """The access takes one more fault; perhaps it walked into a break."""
        faults = self.world.attempts[thread]
        if len(faults) > ENOUGH:
            self._count(index, thread, ipa, faults[-ENOUGH - 1])
        broken = self.world.broken
        if status == TRANSLATION and broken:
            location = self._last_walk(index, thread)
            if location in broken and broken[location][1] != thread:
                self.victims.setdefault(broken[location][0], []).append((thread, index))

    def _last_walk(self, index: int, thread: int) -> int:
        """The entry at which the thread's walk just ended."""
        events = self.world.events
        for at in range(index - 1, max(-1, index - 16), -1):
            if events[at][1] == thread and events[at][0] == WALK:
                return events[at][2]
        return -1

    def _count(self, index: int, thread: int, ipa: int, first: int) -> None:
        """More than enough, unless something else changed or the handler was told to retry.

        Where faults share the lock, -EAGAIN is no reason by itself: either another walker changed
        something meanwhile, or it owns the entry still.
        """
        for kind, other, _where, _old, new, _aux in self.world.events[first:index]:
            if other != thread and kind in (STORE, DRAIN, HARDWARE_AF):
                return
            if other == thread and kind == RETRY and new:
                return
        if self.world.pending or is_locked(self.world.leaf_at(ipa)[0]):
            return
        fault = self.world.faults[thread]
        self.violation(
            f"{FAULT_NAMES.get(fault[3], '?')} faults without interference",
            f"{self.world.name(thread)}'s {ACCESS_NAMES[fault[2]]} of IPA {ipa:#x} took "
            f"{ENOUGH + 1} faults although nobody else changed anything in between",
            first,
            index,
        )

    def leaf_remade(
        self,
        index: int,
        thread: int,
        location: int,
        old: int,
        new: int,
        level: int,
        call: Call | None,
        broken_at: int,
    ) -> None:
        """The break is complete, so it is known whether it was needed."""
        victims = self.victims.pop(broken_at, None) if self.victims else None
        if victims is None or (old ^ new) & ~PTE_PERMISSIONS:
            return
        if call is not None and self.world.flag_raced(call[0], broken_at, location):
            # The leaf that the call read was aged, and the hardware was faster in setting its flag.
            return
        world, events = self.world, self.world.events
        for victim, fault in victims:
            kind = ACCESS_NAMES[events[fault][3]]
            self.violation(
                f"translation fault in another vCPU's break, {leaf_kind(level)}",
                f"{world.name(victim)}'s {kind} of IPA {events[fault][2]:#x} took a translation "
                f"fault only because {world.name(thread)} had broken the {leaf_kind(level)} to "
                "change its permissions",
                broken_at,
                fault,
                index,
            )
