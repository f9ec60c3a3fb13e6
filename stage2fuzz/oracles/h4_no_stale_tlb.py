"""H4: no TLB holds a translation that its tables lost."""

from stage2fuzz.events import TREE_BITS, TREE_GONE, TREE_HOST
from stage2fuzz.oracles.ownership import OwnershipOracle, tree_name


class NoStaleTlb(OwnershipOracle):
    """A page that changed hands while a TLB still reaches it is a hole in the wall."""

    oracle = "H4"
    rule = "no stale TLB"
    why = "When a transition is over, no TLB reaches a page that was taken away."

    def tlb_kept(self, index: int, ipa: int, pfn: int, cpu: int, tree: int) -> None:
        """No transition is under way, and a TLB holds what the tables do not say."""
        who = "the host" if tree & TREE_BITS == TREE_HOST else "a guest"
        who = "a VMID that is free" if tree & TREE_GONE else who
        self.violation(
            f"{who} keeps a translation",
            f"the TLB of CPU {cpu} still has page {pfn} at {ipa:#x} of {tree_name(tree)}, which "
            "its tables no longer say",
            self.since.get(pfn, index),
            index,
        )
