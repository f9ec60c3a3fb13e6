"""H10: EL2 touches only memory that its stage 1 maps."""

from stage2fuzz.oracles.base import Oracle


class HypTouches(Oracle):
    """On a CPU that access is an abort at EL2, which is the end of the machine."""

    oracle = "H10"
    rule = "EL2 touches what it maps"
    why = "Each access of EL2 to memory goes through a mapping of its stage 1."

    def hyp_access(self, index: int, thread: int, pfn: int, store: int) -> None:
        """EL2 touched a page that its stage 1 did not have at that moment."""
        how = "wrote" if store else "read"
        where = "an address" if pfn == -1 else "a page"
        self.violation(
            f"{how} {where} that is not mapped",
            f"EL2 on CPU {thread} {how} {where} that its stage 1 does not map",
            index,
        )
