"""C15: a guest with memory tags sees no tags but its own, and keeps those that it set."""

from stage2fuzz.arch import PTE_ADDRESS
from stage2fuzz.events import CALL_SPLIT, HOST_DEVICE, ROOT_MTE
from stage2fuzz.oracles.base import Oracle, fault_name, leaf_kind
from stage2fuzz.oracles.facts import BackingFact, Call, Fault


class MemoryTags(Oracle):
    """The tags of a page are cleared before the guest gets it, and never again while it has it.

    A page that the host maps without PROT_MTE comes with the tags of whoever had it before;
    a guest with MTE can read them, whatever the rights of the leaf. Two threads that both find
    the page untagged must not both clear it: the second takes what the guest has set meanwhile.
    """

    oracle = "C15"
    rule = "memory tags"
    why = "A guest with MTE gets pages whose tags were cleared, once."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.cleared: list[tuple[int, int, int]] = self.per_run([])
        self.folios: list[tuple[int, int]] = self.per_run([])
        self.given: list[tuple[int, int, int]] = self.per_run([])

    def tags_clear(self, index: int, thread: int, address: int, size: int, folio: int) -> None:
        """The tags of pages were initialised, which are of a folio of that size."""
        for start, end, event in self.given:
            if start < address + size and address < end:
                self.violation(
                    "cleared under the guest",
                    f"{self.world.name(thread)} cleared the tags of {address:#x}, which the guest "
                    "has: those that it set there are lost",
                    event,
                    index,
                )
        self.cleared.append((address, address + size, index))
        if folio > self.world.page_size:
            self.folios.append((address, folio))

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
        """The guest gets memory. Who splits a block gives it nothing new."""
        if not self.world.machine & ROOT_MTE or backing is None or backing[3] & HOST_DEVICE:
            return
        if call is not None and call[1] == CALL_SPLIT:
            return
        start = new & PTE_ADDRESS
        end = start + self.world.sizes[level]
        missing = self._first_uncleared(start, end)
        if missing < end:
            how = self._how(fault, missing)
            self.violation(
                f"mapped with old tags, {how}, {leaf_kind(level)}",
                f"{self.world.name(thread)} mapped {self.pte(new, level)} at IPA {ipa:#x} and "
                f"nobody had cleared the tags of page {missing:#x}: the guest reads those of "
                "whoever had the page before",
                index,
            )
        self.given.append((start, end, index))

    def _first_uncleared(self, start: int, end: int) -> int:
        """The first address from ``start`` on whose tags nobody cleared, or ``end``."""
        at = start
        found = True
        while found and at < end:
            found = False
            for first, last, _index in self.cleared:
                if first <= at < last:
                    at = last
                    found = True
        return min(at, end)

    def _how(self, fault: Fault | None, missing: int) -> str:
        """What brought the leaf, and whether its folio counts as initialised though it is not."""
        how = fault_name(fault) if fault is not None else "no fault"
        for address, size in self.folios:
            if address // size == missing // size:
                return f"{how}, of a folio initialised in part"
        return how
