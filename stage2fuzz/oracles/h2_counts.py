"""H2: the count of guests that share a page is the number of guests that map it, and a pin keeps
its page."""

from stage2fuzz.events import (
    HYP_PIN,
    HYP_UNPIN,
    STATE_SHARED_BORROWED,
    STATE_SHARED_OWNED,
)
from stage2fuzz.oracles.ownership import OwnershipOracle, host_state, hyp_state, share_count


class Counts(OwnershipOracle):
    """Counts that are too low give a page away that somebody uses; too high ones keep it."""

    oracle = "H2"
    rule = "counts are mappings"
    why = "EL2 counts as many guests of a page as map it, and a pinned page stays shared with EL2."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        super().setup()
        self.pinned: dict[int, int] = self.per_run({})

    def hypercall(self, pfn: int, operation: int) -> None:
        """A pin may be over from the call on that takes it away."""
        if operation == HYP_UNPIN and self.pinned.get(pfn):
            self.pinned[pfn] -= 1

    def hypercall_return(self, pfn: int, result: int, operation: int) -> None:
        """EL2 pinned a page, or did not."""
        if operation == HYP_PIN and not result:
            self.pinned[pfn] = self.pinned.get(pfn, 0) + 1

    def quiescent(self) -> None:
        """Everything is about to be given back."""
        self.pinned.clear()

    def settled(self, index: int) -> None:
        """No lock that guards a page's state is held."""
        for pfn in self._pages():
            state = self.states[pfn]
            said = [s for _, _, s in self._guests_of(pfn)] + self.orphans.get(pfn, [])
            borrowed, count = said.count(STATE_SHARED_BORROWED), share_count(state)
            if count != borrowed:
                self.violation(
                    "too few" if count < borrowed else "too many",
                    f"page {pfn} is counted as shared with {count} guests, and {borrowed} map it",
                    self.since.get(pfn, index),
                    index,
                )
            shared = (STATE_SHARED_OWNED, STATE_SHARED_BORROWED)
            if self.pinned.get(pfn) and (host_state(state), hyp_state(state)) != shared:
                self.violation(
                    "pinned and not shared",
                    f"page {pfn} is pinned by EL2, and no longer shared with it",
                    self.since.get(pfn, index),
                    index,
                )
