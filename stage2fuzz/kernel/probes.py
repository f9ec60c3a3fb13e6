"""Feature probes: small programs and patterns that say which API generation a tree has.

A probe that cannot compile for a reason of ours would say "no" to everything and look fine, so a
control probe must succeed and its opposite must fail, or nothing is believed.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError
from stage2fuzz.kernel.diagnostics import complaint
from stage2fuzz.process.life import alive

HEADERS: Final = "#include <asm/kvm_arm.h>\n#include <asm/kvm_pgtable.h>\n"

#: name -> a declaration that compiles only where the tree has the feature.
COMPILED: Final[dict[str, str]] = {
    "S2_HAS_MM_OPS": "struct kvm_pgtable_mm_ops *ops(struct kvm_pgtable *p) { return p->mm_ops; }",
    "S2_HAS_MAP_FLAGS": (
        "int map(struct kvm_pgtable *p, void *mc)"
        " { return kvm_pgtable_stage2_map(p, 0, 0, 0, 0, mc, 0); }"
    ),
    "S2_HAS_RELAX_FLAGS": (
        "int relax(struct kvm_pgtable *p) { return kvm_pgtable_stage2_relax_perms(p, 0, 0, 0); }"
    ),
    "S2_HAS_MKYOUNG_FLAGS": (
        "void young(struct kvm_pgtable *p) { kvm_pgtable_stage2_mkyoung(p, 0, 0); }"
    ),
    "S2_HAS_TEST_CLEAR_YOUNG": "void *f = kvm_pgtable_stage2_test_clear_young;",
    "S2_HAS_SPLIT": "void *f = kvm_pgtable_stage2_split;",
    "S2_HAS_DESTROY_RANGE": "void *f = kvm_pgtable_stage2_destroy_range;",
    "S2_HAS_GET_VTCR": "void *f = kvm_get_vtcr;",
    "S2_HAS_HANDLE_FAULT": "int flag = KVM_PGTABLE_WALK_HANDLE_FAULT;",
    "S2_HAS_SHARED_WALK": "int flag = KVM_PGTABLE_WALK_SHARED;",
    "S2_HAS_FREE_UNLINKED": (
        "void *f(struct kvm_pgtable_mm_ops *ops) { return ops->free_unlinked_table; }"
    ),
}

#: name -> a pattern in the text of pgtable.c and mmu.c, for what no header declares.
WRITTEN: Final[dict[str, str]] = {
    "S2_HAS_INIT_TYPE": r"int kvm_init_stage2_mmu\([^)]*unsigned long type\)",
    "S2_HAS_COMMIT_REGION_POINTER": (
        r"void kvm_arch_commit_memory_region\(struct kvm \*kvm,\s+struct kvm_memory_slot \*old"
    ),
    "S2_HAS_GFN_RANGE": r"bool kvm_unmap_gfn_range\(",
    "S2_HAS_SET_SPTE_GFN": r"bool kvm_set_spte_gfn\(",
    "S2_HAS_FLUSH_REMOTE": r"void kvm_flush_remote_tlbs\(",
    "S2_HAS_ARCH_FLUSH_REMOTE": r"int kvm_arch_flush_remote_tlbs\(",
    "S2_HAS_FLUSH_SHADOW_ALL": r"void kvm_arch_flush_shadow_all\(",
    "S2_HAS_GUEST_SEA": r"int kvm_handle_guest_sea\(struct kvm_vcpu",
    "S2_HAS_IPA_LIMIT": r"kvm_inject_size_fault\(",
    "S2_HAS_LOCAL_FLUSH": r"__kvm_tlb_flush_vmid_ipa_nsh",
    "S2_HAS_RANGE_FLUSH": r"__kvm_tlb_flush_vmid_range",
    "S2_HAS_TTL_UNKNOWN": r"TLBI_TTL_UNKNOWN",
    "S2_HAS_RWLOCK": r"write_lock\(&(?:vcpu->)?kvm->mmu_lock\)",
    "S2_HAS_PERMISSION_ONLY_RULE": r"KVM_PTE_LEAF_ATTR_S2_PERMS",
    "S2_HAS_TOPUP_WHILE_LOGGING": r"!perm_fault \|\| memslot_is_logging\([^)]*\) \|\|",
    "S2_HAS_MTE": r"page_mte_tagg(?:ed|ing)\(page\)",
    "S2_HAS_HUGETLB_MTE": r"folio_try_hugetlb_mte_tagging\(",
    "S2_HAS_COUNTED_ENTRIES": r"stage2_pte_is_counted\(",
}


@dataclass(frozen=True, slots=True)
class Probe:
    """The tree, how to compile, the text of the two kernel files, and where to write."""

    tree: Path
    compile: list[str]
    text: str
    work: Path


def probe(how: Probe) -> dict[str, bool]:
    """Each feature's presence; InputError where the control probes fail."""
    control = _compiles(how, "kvm_pte_t control(struct kvm_pgtable *p) { return *p->pgd; }")
    if control is not None:
        raise InputError(str(how.tree), f"the control probe fails: {control}")
    if _compiles(how, "int f = stage2fuzz_has_no_such_thing;") is None:
        raise InputError("kernel build", "the probes accept what cannot exist")
    answers = {name: _compiles(how, text) is None for name, text in COMPILED.items()}
    for name, pattern in WRITTEN.items():
        answers[name] = re.search(pattern, how.text) is not None
    return answers


def _compiles(how: Probe, text: str) -> str | None:
    """None if it compiles, else what the compiler misses."""
    source = how.work / "probe.c"
    source.write_text(HEADERS + text + "\n")
    alive()
    done = subprocess.run(
        [*how.compile, "-fsyntax-only", str(source)], capture_output=True, text=True, check=False
    )
    source.unlink()
    if not done.returncode:
        return None
    return complaint(done.stderr)
