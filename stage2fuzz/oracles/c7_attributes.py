"""C7: memory attributes follow from the host page alone."""

from stage2fuzz.arch import (
    EXECUTE,
    PTE_MEMATTR,
    PTE_MEMATTR_DEVICE,
    rights,
)
from stage2fuzz.events import HOST_DEVICE
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import BackingFact


class Attributes(Oracle):
    """Device memory is mapped as device and never executable; memory is never mapped as device."""

    oracle = "C7"
    rule = "memory attributes"
    why = "The memory type is that of the host page; device memory is never executable."

    def leaf_installed(
        self, index: int, thread: int, new: int, level: int, ipa: int, backing: BackingFact | None
    ) -> None:
        """A new leaf, or a changed one."""
        if backing is None:
            return
        device = bool(backing[3] & HOST_DEVICE)
        if device != (new & PTE_MEMATTR == PTE_MEMATTR_DEVICE):
            what = "device memory as normal" if device else "normal memory as device"
        elif device and rights(new) & EXECUTE:
            what = "device memory executable"
        else:
            return
        self.violation(
            f"{what}, {leaf_kind(level)}",
            f"{self.world.name(thread)} mapped {what}: {self.pte(new, level)} at IPA {ipa:#x}",
            index,
        )

    leaf_changed = leaf_installed
