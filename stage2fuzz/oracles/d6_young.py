"""D6: the access flag is told as it is."""

from stage2fuzz.arch import PTE_AF, is_leaf
from stage2fuzz.events import CALL_IS_YOUNG
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.facts import Call


class Young(Oracle):
    """is_young says whether the leaf has AF; cached entries may hide accesses, which is fine.

    A flag that the walker sets while the call looks may be missed.
    """

    oracle = "D6"
    rule = "access flag"
    why = "kvm_pgtable_stage2_is_young returns the leaf's access flag."
    returns = (CALL_IS_YOUNG,)

    def returned(self, index: int, ipa: int, result: int, call: Call | None) -> None:
        """The call's answer is the leaf's access flag."""
        world = self.world
        if call is None:
            return
        leaf, level, location = world.leaf_at(ipa)
        young = is_leaf(leaf, level) and bool(leaf & PTE_AF)
        if young != bool(result) and world.since.get(location, -1) < call[0]:
            self.violation(
                "young called old" if young else "old called young",
                f"kvm_pgtable_stage2_is_young returned {result} for IPA {ipa:#x}, whose leaf has "
                f"the access flag {'set' if young else 'clear'}",
                call[0],
                index,
            )
