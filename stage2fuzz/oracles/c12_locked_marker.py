"""C12: the locked marker belongs to the walker that set it, and does not stay."""

from stage2fuzz.arch import is_locked
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.rules import Rules


class LockedMarker(Oracle):
    """Since v6.2 a shared walker breaks an entry by writing a marker that only it may replace.

    Others see it and return -EAGAIN. One that is left behind is an endless fault loop.
    """

    oracle = "C12"
    rule = "locked marker"
    why = "Only the walker that locked an entry replaces the marker, and none is left at the end."

    @classmethod
    def applies(cls, rules: Rules) -> bool:
        """The marker exists where faults walk in parallel."""
        return rules.shared_faults

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.owners: dict[int, tuple[int, int]] = self.per_run({})

    def store(self, index: int, thread: int, location: int, old: int, new: int) -> None:
        """A walker writes the marker, or writes over it."""
        if is_locked(old):
            owner = self.owners.pop(location, None)
            if owner is not None and owner[0] != thread:
                self.violation(
                    "replaced by another walker",
                    f"{self.world.name(thread)} wrote over the locked marker of "
                    f"{self.world.name(owner[0])}",
                    owner[1],
                    index,
                )
        if is_locked(new):
            self.owners[location] = (thread, index)

    def quiescent(self, index: int) -> None:
        """Nobody is inside the page-table code, so no marker has an owner any more."""
        for location, (thread, locked) in self.owners.items():
            if location & -self.world.page_size in self.world.pages:
                self.violation(
                    "left behind",
                    f"the locked marker that {self.world.name(thread)} wrote is still there at "
                    "the end: every fault on it returns -EAGAIN for ever",
                    locked,
                    index,
                )
