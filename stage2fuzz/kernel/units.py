"""Units: which of the tree's own files an engine is made of, and what stays modelled without one.

``stage2`` is what every tree must have. The others are taken where the tree has their files and the
shim serves what they need; where it does not, the unit stays modelled and `kernel build` says what
is missing, so that a new helper in one file costs that file and not the engine.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ARCH: Final = Path("arch/arm64")


@dataclass(frozen=True, slots=True)
class Unit:
    """Files of the tree that are compiled together, whole and unmodified."""

    name: str
    files: tuple[Path, ...]
    headers: tuple[str, ...]
    """Headers that the tree itself serves, below its ``arch/arm64/include``."""
    shim: str = ""
    """A header of ours that is forced in front of its files, besides ``kernel.h``."""
    modelled: str = ""
    """What is ours in its place."""
    ours: tuple[str, ...] = ()
    """Files of ours that are compiled as if they were its own: what they hold was taken out of a
    file of the tree (``emulate.py``)."""
    taken: tuple[Path, ...] = ()
    """Files of the tree that those functions stand in."""
    needs: str = ""
    """The unit without which it cannot be."""

    @property
    def config(self) -> str:
        """The macro that tells glue and shim that it is there."""
        return f"S2_HAS_UNIT_{self.name.upper()}"

    def present(self, tree: Path) -> bool:
        """Whether ``tree`` has all that it is made of."""
        served = (tree / ARCH / "include" / name for name in self.headers)
        own = (tree / name for name in (*self.files, *self.taken))
        return all(path.is_file() for path in (*own, *served))


STAGE2: Final = Unit(
    "stage2",
    (ARCH / "kvm/hyp/pgtable.c", ARCH / "kvm/mmu.c"),
    (
        "asm/kvm_pgtable.h",
        "asm/kvm_arm.h",
        "asm/stage2_pgtable.h",
        "asm/pgtable-hwdef.h",
        "asm/esr.h",
        "asm/brk-imm.h",
    ),
)
"""The engine itself; entry bits and syndrome codes are the tree's own."""
TLB: Final = Unit(
    "tlb",
    (ARCH / "kvm/hyp/nvhe/tlb.c", ARCH / "kvm/hyp/vhe/tlb.c"),
    ("asm/tlbflush.h", "asm/sysreg.h"),
    "tlb_unit.h",
    "TLB maintenance sequences (hyp/nvhe/tlb.c, asm/tlbflush.h)",
)
"""TLB maintenance down to the operand of each TLBI, as a hypercall and with VHE."""
NESTED: Final = Unit(
    "nested",
    (ARCH / "kvm/nested.c",),
    ("asm/kvm_nested.h", "asm/vncr_mapping.h"),
    "nested_unit.h",
    "nested virtualisation (nested.c, TLBIs of a guest hypervisor in sys_regs.c)",
    ("glue/guest_tlbi.c",),
    (ARCH / "kvm/sys_regs.c",),
    "tlb",
)
"""Shadow stage 2 of a guest hypervisor's guests."""
OPTIONAL: Final = (TLB, NESTED)
UNITS: Final = {unit.name: unit for unit in (STAGE2, *OPTIONAL)}
