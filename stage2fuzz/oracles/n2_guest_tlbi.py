"""N2: a guest hypervisor's TLBI is complete once it has returned, faults in flight included."""

from typing import Final

from stage2fuzz.events import CALL_GUEST_TLBI, TREE_SHIFT
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.facts import (
    NO_ENTRIES,
    UNBOUND,
    Call,
    Fault,
    guest_grants,
)

IN_FLIGHT: Final = "a fault in flight brings back what was invalidated"
"""The fault began before the TLBI's return. Apart from a TLBI that leaves what it should take, and
from a fault that begins afterwards: each is a fault of its own, and a kernel may have one alone."""


class GuestTlbi(Oracle):
    """To a guest hypervisor a shadow is a TLB: what it changed and invalidated, nobody may use.

    It writes an entry of its stage 2 and executes a TLBI with a DSB. When that DSB is over, no
    access of its guest may be translated by an entry that was gone before the TLBI began (Arm ARM,
    D8.17: the TLBI is complete for all observers, walks under way included). KVM emulates TLBI and
    DSB together, so this holds from the return of its handler on. A fault that read the old entry
    before, and writes the shadow afterwards, breaks it as much as a leaf that the TLBI left.
    """

    oracle = "N2"
    rule = "guest TLBI complete"
    why = "Once the guest hypervisor's TLBI returned, no shadow maps what was gone when it began."
    returns = (CALL_GUEST_TLBI,)

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.done: list[tuple[int, int, int, int, int]] = self.per_run([])
        """(event of the begin, of the return, VMID or 0 for all, first address, end) of TLBIs."""

    def leaf_installed(
        self,
        index: int,
        thread: int,
        location: int,
        new: int,
        level: int,
        ipa: int,
        fault: Fault | None,
    ) -> None:
        """A shadow has a leaf where it had none."""
        self._made(index, thread, location, new, level, ipa, fault)

    def leaf_changed(
        self,
        index: int,
        thread: int,
        location: int,
        new: int,
        level: int,
        ipa: int,
        fault: Fault | None,
    ) -> None:
        """A leaf of a shadow grants more, or points elsewhere."""
        self._made(index, thread, location, new, level, ipa, fault)

    def _made(
        self,
        index: int,
        thread: int,
        location: int,
        new: int,
        level: int,
        ipa: int,
        fault: Fault | None,
    ) -> None:
        """A fault gave the shadow what it did not have."""
        if not self.done or not ipa >> TREE_SHIFT or fault is None:
            return
        world = self.world
        binding = world.bindings.get(ipa >> TREE_SHIFT, UNBOUND)
        page = world.guest_page_of(ipa)
        plain = page & (1 << TREE_SHIFT) - 1
        for begun, ended, vmid, start, end in self.done:
            if vmid not in (0, binding[1]) or not start <= plain < end:
                continue
            if not self._gone(page, begun, location, new):
                continue
            self.violation(
                IN_FLIGHT if fault[0] < ended else "a later fault maps what was invalidated",
                f"{world.name(thread)} made {self.pte(new, level)} in shadow MMU "
                f"{ipa >> TREE_SHIFT} for L2's {plain:#x}, from an entry that the guest hypervisor "
                f"had changed before its TLBI began, and that TLBI has returned",
                begun,
                ended,
                index,
            )

    def _gone(self, page: int, begun: int, location: int, leaf: int) -> bool:
        """Whether an entry justified the leaf before, and none has since ``begun``."""
        entries = self.world.guest_entries.get(page, NO_ENTRIES)
        origin = self.world.origin.get(location, 0)
        justified = False
        for number, entry in enumerate(entries):
            if guest_grants(entry[1], origin, leaf):
                if number + 1 == len(entries) or entries[number + 1][0] > begun:
                    return False
                justified = True
        return justified

    def returned(self, index: int, ipa: int, size: int, call: Call | None) -> None:
        """The TLBI is complete: nothing of what was gone when it began is left."""
        if call is None:
            return
        world, vmid = self.world, call[4]
        self.done.append((call[0], index, vmid, ipa, ipa + size))
        for tree in world.trees:
            binding = world.bindings.get(tree, UNBOUND)
            if not tree or not binding[1] or vmid not in (0, binding[1]):
                continue
            start = tree << TREE_SHIFT
            for leaf, level, first, location in world.leaves(start + ipa, start + ipa + size):
                page = world.guest_page_of(first)
                if world.since.get(location, 0) < binding[0]:
                    continue  # of the context before: N4 sees to it that nobody uses it
                if self._gone(page, call[0], location, leaf):
                    since = world.since.get(location, call[0])
                    self.violation(
                        "a leaf is left" if since < call[0] else IN_FLIGHT,
                        f"the guest hypervisor's TLBI returned with {self.pte(leaf, level)} left "
                        f"in shadow MMU {tree} for L2's {first - start:#x}, from an entry that it "
                        "had changed before",
                        since,
                        call[0],
                        index,
                    )
