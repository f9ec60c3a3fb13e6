"""What of a tree is taken out of a file: how it reads a syndrome, and a guest's TLBIs.

What counts as a write decides what a fault maps, and kernels got it wrong (stage-1 walks). The
header kvm_emulate.h as a whole needs half of KVM, and so does sys_regs.c, so the functions that are
asked are copied, word for word, into headers of the build; none of their text is kept anywhere
else.
"""

import json
import re
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError

SOURCE: Final = Path("arch/arm64/include/asm/kvm_emulate.h")
HEADER: Final = "emulate.h"
FUNCTIONS: Final = (
    "kvm_vcpu_get_fault_ipa",
    "kvm_vcpu_abt_iss1tw",
    "kvm_vcpu_abt_issea",
    "kvm_vcpu_dabt_iswrite",
    "kvm_vcpu_dabt_isvalid",
    "kvm_vcpu_dabt_is_cm",
    "kvm_vcpu_trap_is_exec_fault",
    "kvm_is_write_fault",
)
"""In an order in which each calls only what stands before it."""
GUEST_TLBI_SOURCE: Final = Path("arch/arm64/kvm/sys_regs.c")
GUEST_TLBI_HEADER: Final = "guest_tlbi.h"
GUEST_TLBI_SCOPE: Final = r"^union tlbi_info \{.*?^\};$"
VNCR_SOURCE: Final = Path("arch/arm64/kvm/nested.c")
VNCR_SCOPE: Final = r"^struct vncr_tlb \{.*?^\};$"
GUEST_TLBI_FUNCTIONS: Final = (
    "kvm_supported_tlbi_s12_op",
    "kvm_supported_tlbi_ipas2_op",
    "s2_mmu_unmap_range",
    "s2_mmu_unmap_ipa",
    "handle_alle1is",
    "handle_vmalls12e1is",
    "handle_ripas2e1is",
    "handle_ipas2e1is",
)
"""sys_regs.c as a whole is the table of all system registers; these are what a guest hypervisor's
trapped TLBI of stage 2 runs, in an order in which each calls only what stands before it."""


def generate(tree: Path) -> str:
    """The text of the header; InputError if the tree's own cannot be read."""
    return taken(tree, SOURCE, [_definition(name) for name in FUNCTIONS])


def generate_guest_tlbi(tree: Path) -> str:
    """How the tree carries out the stage-2 TLBIs of a guest hypervisor, and what it keeps of that
    one's page of registers; empty where it does not."""
    if not (tree / GUEST_TLBI_SOURCE).is_file():
        return ""
    kept = taken(tree, VNCR_SOURCE, [VNCR_SCOPE]) if (tree / VNCR_SOURCE).is_file() else ""
    return kept + taken(
        tree, GUEST_TLBI_SOURCE, [GUEST_TLBI_SCOPE, *map(_definition, GUEST_TLBI_FUNCTIONS)]
    )


def taken(tree: Path, source: Path, patterns: list[str]) -> str:
    """What the patterns match in a file of the tree, in their order, each with its line there;
    InputError if it cannot be read.

    What a tree does not define is left out, and the compiler names whoever needs it.
    """
    try:
        text = (tree / source).read_text(errors="replace")
    except OSError as error:
        raise InputError(str(tree / source), error.strerror or str(error), "a KVM tree") from None
    place = json.dumps(str(tree / source), ensure_ascii=False)
    found = (re.search(pattern, text, re.MULTILINE | re.DOTALL) for pattern in patterns)
    return "".join(
        f"#line {text.count(chr(10), 0, match.start()) + 1} {place}\n{match[0]}\n"
        for match in found
        if match
    )


def _definition(name: str) -> str:
    """One function from its storage class to the brace that closes it."""
    return rf"^static [^;{{}}()]*\b{name}\([^)]*\)\s*\{{.*?^\}}$"
