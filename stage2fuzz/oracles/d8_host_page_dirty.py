"""D8: the host learns in time that the guest may write to its page."""

from stage2fuzz.arch import PTE_ADDRESS, PTE_WRITE
from stage2fuzz.events import (
    CALL_INVALIDATE_START,
    CALL_MAP,
    CALL_RELAX,
    HOST_DEVICE,
    LOCK_MMU,
    TREE_SHIFT,
)
from stage2fuzz.oracles.base import Oracle, fault_name, leaf_kind
from stage2fuzz.oracles.facts import LOCK_SHARED, BackingFact, Call, Fault, overlap

Grant = tuple[int, int, int, int]
"""(event, first IPA, level, host address): a leaf that a fault made writable."""


class HostPageDirty(Oracle):
    """A fault that makes a page writable marks the host's page dirty, or writes to it get lost.

    Reclaim drops a clean page without writing it back. The mark comes before the host can take the
    page away, that is before the lock is dropped that keeps the notifier out. A mark after that is
    late where the notifier was about to take the page, or took it. Device memory has no struct page
    to mark.
    """

    oracle = "D8"
    rule = "host page marked dirty"
    why = "A fault that grants write marks the host's page dirty before the host can take it."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.marked: dict[int, int] = self.per_run({})
        """Thread -> host address that its fault has marked."""
        self.granted: dict[int, Grant] = self.per_run({})
        """Thread -> what its fault made writable and has not marked yet."""

    def pfn_dirty(self, index: int, thread: int, address: int) -> None:
        """The thread marks a host page, after the leaf was written or before."""
        self.marked[thread] = address
        grant = self.granted.get(thread)
        if grant is None or not 0 <= address - grant[3] < self.world.sizes[grant[2]]:
            return
        del self.granted[thread]
        held = self.world.held.get(thread, ())
        if LOCK_MMU not in held and LOCK_MMU | LOCK_SHARED not in held:
            self._too_late(index, thread, grant)

    def _too_late(self, index: int, thread: int, grant: Grant) -> None:
        """The lock is dropped: whether a notifier is on its way to the page."""
        granted, first, level, address = grant
        world = self.world
        for host in range(world.vcpus, world.threads):
            call = world.calls.get(host)
            if call is None or call[1] != CALL_INVALIDATE_START:
                continue
            if overlap(first, self.world.sizes[level], call[2], call[3]):
                self.violation(
                    f"marked after the lock was dropped, {leaf_kind(level)}",
                    f"{world.name(thread)} made page {address:#x} of IPA {first:#x} writable and "
                    f"dropped mmu_lock before it marked the page dirty, while {world.name(host)} "
                    "was about to take it: the host may find it clean",
                    granted,
                    call[0],
                    index,
                )
                return

    def leaf_installed(
        self,
        index: int,
        thread: int,
        new: int,
        level: int,
        ipa: int,
        backing: BackingFact | None,
        fault: Fault | None,
        call: Call | None,
    ) -> None:
        """A fault made a leaf."""
        if new & PTE_WRITE:
            self._grant(index, thread, new, level, ipa, backing, fault, call)

    def leaf_changed(
        self,
        index: int,
        thread: int,
        old: int,
        new: int,
        level: int,
        ipa: int,
        backing: BackingFact | None,
        fault: Fault | None,
        call: Call | None,
    ) -> None:
        """A fault changed a leaf."""
        if new & ~old & PTE_WRITE:
            self._grant(index, thread, new, level, ipa, backing, fault, call)

    def _grant(
        self,
        index: int,
        thread: int,
        new: int,
        level: int,
        ipa: int,
        backing: BackingFact | None,
        fault: Fault | None,
        call: Call | None,
    ) -> None:
        if fault is None or call is None or call[1] not in (CALL_MAP, CALL_RELAX):
            return
        if fault is not self.world.faults.get(thread):
            return
        address = new & PTE_ADDRESS
        if ipa >> TREE_SHIFT:  # of a shadow: the page is the one that the fault looked up
            backing = self.world.backing_of(self.world.pinned.get(thread, 0))
        if backing is not None and backing[3] & HOST_DEVICE:
            return
        if not 0 <= self.marked.get(thread, -1) - address < self.world.sizes[level]:
            self.granted[thread] = (index, ipa, level, address)

    def backing(self, index: int, thread: int, ipa: int, size: int, address: int) -> None:
        """The host has another page there: the old one is gone, marked or not."""
        if thread < 0 or not self.granted:
            return
        for owner, (granted, first, level, old) in list(self.granted.items()):
            if not overlap(first, self.world.sizes[level], ipa, size) or (
                address - ipa == old - first
            ):
                continue
            del self.granted[owner]
            self.violation(
                f"marked after the host took it, {leaf_kind(level)}",
                f"the host took page {old:#x} of IPA {first:#x} away before "
                f"{self.world.name(owner)}'s fault, which had made it writable, marked it dirty: "
                "the host took it for clean",
                granted,
                index,
            )

    def resume(self, index: int, thread: int) -> None:
        """The fault is over; what it made writable is marked."""
        self.marked.pop(thread, None)
        grant = self.granted.pop(thread, None) if self.granted else None
        if grant is None:
            return
        world = self.world
        fault = world.faults[thread]
        granted, first, level, address = grant
        self.violation(
            f"never marked, {fault_name(fault)}, {leaf_kind(level)}",
            f"{world.name(thread)}'s {fault_name(fault)} made page {address:#x} of IPA {first:#x} "
            "writable and never marked it dirty for the host, which may drop it with what the "
            "guest wrote",
            granted,
            index,
        )
