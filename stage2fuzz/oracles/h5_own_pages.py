"""H5: the host's stage 2 never reaches a page that EL2 owns."""

from stage2fuzz.events import MAPPED_VALID, TREE_HOST
from stage2fuzz.oracles.ownership import OWNS, OwnershipOracle, hyp_state


class OwnPages(OwnershipOracle):
    """EL2's tables, its VMs' structures and its image are out of the host's reach."""

    oracle = "H5"
    rule = "EL2's own pages"
    why = "No page that EL2 owns is mapped in the host's stage 2."

    def settled(self, index: int) -> None:
        """No lock that guards a page's state is held."""
        for (tree, page), (_, said) in self.mappings.items():
            if tree != TREE_HOST or not said & MAPPED_VALID:
                continue
            if hyp_state(self.states.get(page, 0xFF)) in OWNS:
                self.violation(
                    "mapped for the host",
                    f"page {page} is EL2's own, and mapped in the host's stage 2",
                    self.since.get(page, index),
                    index,
                )
