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

    def tlbi(self, index: int, thread: int, form: int) -> None:
        """The VMID in the register decides whose entries the thread's TLBI hits."""
        loaded = self.vmids.get(thread)
        if loaded != self.world.vmid and form & TLBI_OPERATION != TLBI_ALLE1:
            held = "the host's" if not loaded else "another"
            self.violation(
                f"TLBI in {held} context",
                f"{self.world.name(thread)} issued a TLBI for VMID {self.world.vmid} while "
                f"VTTBR_EL2 held {held} VMID: the guest's entries were not touched",
                index,
            )
