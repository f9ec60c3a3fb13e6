"""H3: what EL2 notes of a page, and what the stages of translation say of it, agree."""

from stage2fuzz.events import (
    MAPPED_NOTED,
    MAPPED_VALID,
    STATE_MASK,
    STATE_NOPAGE,
    STATE_SHARED_BORROWED,
    STATE_SHARED_OWNED,
    TREE_HOST,
    TREE_HYP,
)
from stage2fuzz.oracles.ownership import OWNS, STATE_NAMES, OwnershipOracle, host_state, hyp_state

GUEST_NEEDS = {0: STATE_NOPAGE, STATE_SHARED_OWNED: STATE_SHARED_BORROWED}
"""State in a guest's entry -> the host's; a page that a guest borrows is the host's and shared."""


class ViewsAgree(OwnershipOracle):
    """The array of states, the host's stage 2, EL2's stage 1 and guests' stage 2 say the same."""

    oracle = "H3"
    rule = "views agree"
    why = (
        "Page states, the host's and the guests' stage 2 and EL2's stage 1 say the same of a page."
    )

    def settled(self, index: int) -> None:
        """No lock that guards a page's state is held."""
        for pfn in self._pages():
            state = self.states[pfn]
            self._host(index, pfn, host_state(state))
            self._hyp(index, pfn, hyp_state(state))
            self._guests(index, pfn, host_state(state))

    def _host(self, index: int, pfn: int, state: int) -> None:
        page, said = self.mappings.get((TREE_HOST, pfn), (-1, 0))
        if said & MAPPED_VALID and (state == STATE_NOPAGE or page != pfn):
            self._differs(index, pfn, "mapped for the host", "not the host's")
        elif state == STATE_NOPAGE and not said & MAPPED_NOTED:
            self._differs(index, pfn, "the host's in its stage 2", "not the host's")
        elif state != STATE_NOPAGE and said & MAPPED_NOTED:
            self._differs(index, pfn, "somebody else's in the host's stage 2", "the host's")

    def _hyp(self, index: int, pfn: int, state: int) -> None:
        page, said = self.mappings.get((TREE_HYP, pfn), (-1, 0))
        mapped = bool(said & MAPPED_VALID)
        if mapped and (state == STATE_NOPAGE or page != pfn):
            self._differs(index, pfn, "mapped in EL2's stage 1", "not EL2's")
        elif not mapped and state in OWNS:
            self._differs(index, pfn, "not mapped in EL2's stage 1", "EL2's")

    def _guests(self, index: int, pfn: int, state: int) -> None:
        for vm, gfn, said in self._guests_of(pfn):
            wanted = GUEST_NEEDS.get(said & STATE_MASK, STATE_SHARED_OWNED)
            if state != wanted:
                kind = STATE_NAMES[said & 3]
                found = STATE_NAMES[state & 3]
                self.violation(
                    f"{kind} in a guest, {found} for the host",
                    f"page {pfn} is {kind} in the entry of VM {vm} for its page {gfn}, and {found} "
                    f"for the host, where it should be {STATE_NAMES[wanted]}",
                    self.since.get(pfn, index),
                    index,
                )

    def _differs(self, index: int, pfn: int, table: str, noted: str) -> None:
        self.violation(
            f"{table}, noted as {noted}",
            f"page {pfn} is {table}, and noted as {noted}",
            self.since.get(pfn, index),
            index,
        )
