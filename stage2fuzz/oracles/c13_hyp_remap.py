"""C13: hyp stage 1 never remaps."""

from stage2fuzz.arch import PTE_SOFTWARE, PTE_VALID
from stage2fuzz.events import CALL_HYP_MAP
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.facts import Call


class HypRemap(Oracle):
    """A valid hyp entry changes in software bits only; the identical mapping may be repeated.

    It is what patch 1 must keep while it takes the shared leaf writer apart.
    """

    oracle = "C13"
    rule = "hyp stage 1 never remaps"
    why = "kvm_pgtable_hyp_map never rewrites a valid entry with a different one."

    def private_written(
        self, index: int, thread: int, old: int, new: int, call: Call | None
    ) -> None:
        """An entry that hangs below no stage-2 root was written."""
        if call is None or call[1] != CALL_HYP_MAP:
            return
        if old & new & PTE_VALID and (old ^ new) & ~PTE_SOFTWARE:
            self.violation(
                "valid entry rewritten",
                f"{self.world.name(thread)} rewrote a valid hyp stage-1 entry ({old:#x} by "
                f"{new:#x}) without an invalid one in between",
                call[0],
                index,
            )
