"""H1: exactly one of host, EL2 and guests owns a page."""

from stage2fuzz.oracles.ownership import OWNS, OwnershipOracle, host_state, hyp_state


class OneOwner(OwnershipOracle):
    """Where no change is under way, the states of a page name one owner."""

    oracle = "H1"
    rule = "one owner"
    why = "Exactly one of host, EL2 and guests owns each page."

    def settled(self, index: int) -> None:
        """No lock that guards a page's state is held."""
        for pfn in self._pages():
            state = self.states[pfn]
            owners = ["the host"] if host_state(state) in OWNS else []
            owners += ["EL2"] if hyp_state(state) in OWNS else []
            owners += [f"VM {vm}" for vm, _, said in self._guests_of(pfn) if said in OWNS]
            owners += ["a VM that is gone" for s in self.orphans.get(pfn, ()) if s in OWNS]
            if len(owners) != 1:
                who = " and ".join(owners) or "nobody"
                kinds = sorted({"a guest" if name.startswith("VM") else name for name in owners})
                self.violation(
                    f"owned by {' and '.join(kinds) or 'nobody'}",
                    f"page {pfn} is owned by {who}: a page has exactly one owner",
                    self.since.get(pfn, index),
                    index,
                )
