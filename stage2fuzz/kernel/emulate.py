"""How the tree reads a syndrome: small functions of its kvm_emulate.h, taken over at build time.

What counts as a write decides what a fault maps, and kernels got it wrong (stage-1 walks). The
header as a whole needs half of KVM, so the functions that the fault handler asks are copied, word
for word, into a header of the build; none of their text is kept anywhere else.
"""

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


def generate(tree: Path) -> str:
    """The text of the header; InputError if the tree's own cannot be read.

    What a tree does not define is left out, and the compiler names whoever needs it.
    """
    try:
        text = (tree / SOURCE).read_text(errors="replace")
    except OSError as error:
        raise InputError(str(tree / SOURCE), error.strerror or str(error), "a KVM tree") from None
    found = (re.search(_definition(name), text, re.MULTILINE | re.DOTALL) for name in FUNCTIONS)
    return "".join(match[0] + "\n" for match in found if match)


def _definition(name: str) -> str:
    """One function from its storage class to the brace that closes it."""
    return rf"^static [^;{{}}()]*\b{name}\([^)]*\)\s*\{{.*?^\}}$"
