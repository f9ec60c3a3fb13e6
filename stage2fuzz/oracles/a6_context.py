"""A6: a TLBI works on the VMID that VTTBR_EL2 names at that moment."""

from stage2fuzz.events import TLBI_ALLE1, TLBI_OPERATION
from stage2fuzz.oracles.base import Oracle


class TranslationContext(Oracle):
    """The guest's VMID is in VTTBR_EL2 while its TLBIs are executed."""

    oracle = "A6"
    rule = "translation context"
    why = "A TLBI by IPA or VMID runs with the guest's VMID in VTTBR_EL2."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.vmids: dict[int, int] = self.per_run({})

    def context(self, thread: int, vmid: int) -> None:
        """The thread loaded another VMID into VTTBR_EL2."""
        self.vmids[thread] = vmid

    def tlbi(self, index: int, thread: int, vmid: int, form: int) -> None:
        """The VMID in the register decides whose entries the thread's TLBI hits.

        The engine says for whom the instruction was; it differs from what was written last where no
        ISB came in between, and where HCR_EL2.TGE made stage 1 the host's.
        """
        if form & TLBI_OPERATION == TLBI_ALLE1:
            return
        loaded = self.vmids.get(thread, 0)
        if loaded - self.world.vmid in self.world.trees:
            if loaded == vmid:
                return
            self.violation(
                "TLBI before the context was synchronised",
                f"{self.world.name(thread)} issued a TLBI after it had written VMID "
                f"{loaded} to VTTBR_EL2, but without the ISB, or with HCR_EL2.TGE set: it "
                f"was for VMID {vmid}, and the guest's entries were not touched",
                index,
            )
        else:
            held = "the host's" if not loaded else "another"
            self.violation(
                f"TLBI in {held} context",
                f"{self.world.name(thread)} issued a TLBI for VMID {self.world.vmid} while "
                f"VTTBR_EL2 held {held} VMID: the guest's entries were not touched",
                index,
            )
