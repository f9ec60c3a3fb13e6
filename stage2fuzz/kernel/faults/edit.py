"""A fault to plant: a short pattern, what replaces it, in which function of which file."""

from dataclasses import dataclass
from typing import Final

PGTABLE: Final = "hyp/pgtable.c"
MMU: Final = "mmu.c"
NVHE_TLB: Final = "hyp/nvhe/tlb.c"
VHE_TLB: Final = "hyp/vhe/tlb.c"
TLBFLUSH: Final = "../include/asm/tlbflush.h"
EMULATE: Final = "../include/asm/kvm_emulate.h"
EVERYWHERE: Final = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace ``pattern`` (a regular expression) in one function of one file."""

    file: str
    function: str
    pattern: str
    replacement: str
    count: int = 1
    """How many matches are replaced; 0: all."""


@dataclass(frozen=True, slots=True)
class PlantedFault:
    """A named fault and the ways to write it."""

    name: str
    what: str
    ways: tuple[tuple[Edit, ...], ...]
    unit: str = ""
    """The unit of the engine without which it shows nowhere; empty: every engine has it."""


def one(name: str, what: str, *edits: Edit) -> PlantedFault:
    """A fault whose every edit is a way of its own."""
    return PlantedFault(name, what, tuple((edit,) for edit in edits))
