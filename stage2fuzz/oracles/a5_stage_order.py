"""A5: the stage-1 TLBI is issued only when the stage-2 TLBI is done."""

from stage2fuzz.events import (
    DSB_ISH,
    DSB_NSH,
    TLBI_IPAS2E1,
    TLBI_OPERATION,
    TLBI_VMALLE1,
)
from stage2fuzz.oracles.base import Oracle


class StageOrder(Oracle):
    """Another CPU could refill a combined entry from a stage-2 entry that is still alive.

    The ESOP'22 model allows the stale read when the DSB between the two is missing.
    """

    oracle = "A5"
    rule = "stage 2 before stage 1"
    why = "A DSB stands between the TLBI of stage 2 by IPA and the TLBI of stage 1."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.issued: dict[int, int] = self.per_run({})

    def tlbi(self, index: int, thread: int, form: int) -> None:
        """A TLBI of stage 2 begins, or one of stage 1 comes while it is still under way."""
        operation = form & TLBI_OPERATION
        if operation == TLBI_IPAS2E1:
            self.issued[thread] = index
        elif operation == TLBI_VMALLE1 and thread in self.issued:
            issued = self.issued[thread]
            ipa = self.world.events[issued][2]
            self.violation(
                "no DSB between",
                f"{self.world.name(thread)} issued the stage-1 TLBI while its stage-2 TLBI of IPA "
                f"{ipa:#x} was not complete: combined entries may be filled again from it",
                issued,
                index,
            )

    def dsb(self, thread: int, barrier: int) -> None:
        """The thread's TLBIs are complete."""
        if self.issued and barrier in (DSB_ISH, DSB_NSH):
            self.issued.pop(thread, None)
