"""C6: a fault never takes a permission away."""

from stage2fuzz.arch import PTE_ADDRESS, PTE_AF, PTE_VALID, rights, rights_text
from stage2fuzz.events import DRAIN, STORE
from stage2fuzz.oracles.base import Oracle, fault_name, leaf_kind
from stage2fuzz.oracles.facts import Call, Fault

RIGHT_NAMES = {1: "read", 2: "write", 4: "execute"}


class NoDowngrade(Oracle):
    """A fault asks for more; a leaf of the same page that it rewrites keeps what it granted.

    This is the heart of the patch series: queued faults that want less undid what another vCPU had
    just been given, by break-before-make (v5.10) or in place by comparing attributes as numbers
    (series-v1). Write-protect and notifiers may of course take rights away, and another output
    address is another page.
    """

    oracle = "C6"
    rule = "a fault never downgrades"
    why = "No fault replaces a leaf by one of the same page that grants less."

    def leaf_remade(
        self,
        index: int,
        thread: int,
        location: int,
        old: int,
        new: int,
        level: int,
        fault: Fault | None,
        call: Call | None,
        broken_at: int,
    ) -> None:
        """A fault broke a leaf and made one with the same output address."""
        if fault is not None and call is not None and rights(old) & ~rights(new):
            # Aging clears AF, so patch 2's test for a difference in permissions only misses it; the
            # hardware may have set it between that test and the break.
            aged = (old ^ new) & PTE_AF or self.world.flag_raced(call[0], broken_at, location)
            how = "break-before-make" + (" of an aged leaf" if aged else "")
            self._lost(index, thread, location, old, new, level, fault, how)

    def leaf_changed(
        self,
        index: int,
        thread: int,
        location: int,
        old: int,
        new: int,
        level: int,
        fault: Fault | None,
    ) -> None:
        """A fault rewrote a leaf of the same page in place."""
        if fault is not None and not (old ^ new) & PTE_ADDRESS and rights(old) & ~rights(new):
            self._lost(index, thread, location, old, new, level, fault, "in place")

    def _lost(
        self,
        index: int,
        thread: int,
        location: int,
        old: int,
        new: int,
        level: int,
        fault: Fault,
        how: str,
    ) -> None:
        lost = rights(old) & ~rights(new)
        name = " and ".join(text for bit, text in RIGHT_NAMES.items() if lost & bit)
        detail = f"{name} lost to a {fault_name(fault)}, {leaf_kind(level)}, {how}"
        if self.said(detail):
            return
        given, giver = self._given(index, location, lost)
        world = self.world
        owner = "it" if giver == thread else world.name(giver)
        self.violation(
            detail,
            f"{world.name(thread)}'s {fault_name(fault)} replaced "
            f"{self.pte(old, level).removesuffix(' AF')} by {rights_text(rights(new))}: "
            f"the {name} permission {owner} was given is gone",
            given,
            fault[0],
            index,
        )

    def _given(self, index: int, location: int, lost: int) -> tuple[int, int]:
        """The event and thread by which the leaf last gained a right of ``lost``."""
        events = self.world.events
        for at in range(index - 1, -1, -1):
            kind, thread, where, old, new, _aux = events[at]
            if kind in (STORE, DRAIN) and where == location and new & PTE_VALID:
                before = rights(old) if old & PTE_VALID else 0
                if rights(new) & lost & ~before:
                    return at, thread
        return index, events[index][1]
