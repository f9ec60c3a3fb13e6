"""H8: page states and entries are written under the lock that guards them."""

from typing import Final

from stage2fuzz.events import (
    HELD_SHIFT,
    LOCK_GUEST,
    LOCK_HOST_STAGE2,
    LOCK_HYP_STAGE1,
    TREE_BITS,
    TREE_GUEST,
    TREE_HOST,
    TREE_HYP,
)
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.ownership import host_state, hyp_state, share_count, tree_name

GUARD: Final = {TREE_HOST: LOCK_HOST_STAGE2, TREE_HYP: LOCK_HYP_STAGE1}


class EL2Lockset(Oracle):
    """Who changes them without it races with everybody who has it."""

    oracle = "H8"
    rule = "lockset"
    why = "Page states and entries of each tree are written under that component's lock."

    def page_state(self, index: int, pfn: int, before: int, state: int, held: int) -> None:
        """A page's state was written by a thread that held these locks."""
        if before < 0:
            return
        host = host_state(before) != host_state(state) or share_count(before) != share_count(state)
        if host and not held >> LOCK_HOST_STAGE2 & 1:
            self._without(index, f"the host's state of page {pfn}", "the host's state")
        if hyp_state(before) != hyp_state(state) and not held >> LOCK_HYP_STAGE1 & 1:
            self._without(index, f"EL2's state of page {pfn}", "EL2's state")

    def table_store(self, index: int, tree: int) -> None:
        """An entry was written by a thread that held these locks."""
        kind, held = tree & TREE_BITS, tree >> HELD_SHIFT
        if not kind:
            return
        guard = GUARD.get(kind, LOCK_GUEST + kind - TREE_GUEST)
        if not held >> guard & 1:
            what = "a guest's entry" if kind >= TREE_GUEST else f"an entry of {tree_name(kind)}"
            self._without(index, f"an entry of {tree_name(kind)}", what)

    def _without(self, index: int, what: str, kind: str) -> None:
        self.violation(
            f"{kind} without its lock", f"{what} is written without the lock that guards it", index
        )
