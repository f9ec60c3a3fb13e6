"""Faults of nested guests: `nested.c`, the TLBIs of a guest hypervisor, shadows in `mmu.c`."""

from dataclasses import replace
from typing import Final

from stage2fuzz.kernel.faults.edit import EVERYWHERE, MMU, Edit, PlantedFault, one

NESTED_C: Final = "nested.c"
SYS_REGS: Final = "sys_regs.c"


def _nested(name: str, what: str, *edits: Edit) -> PlantedFault:
    """One that shows only where the tree's own nested.c was compiled."""
    return replace(one(name, what, *edits), unit="nested")


IN_NESTED: Final[tuple[PlantedFault, ...]] = (
    _nested(
        "recycled-not-emptied",
        "a shadow MMU that goes to another context is not marked to be emptied",
        Edit(NESTED_C, EVERYWHERE, "s2_mmu->pending_unmap = true;", ";"),
    ),
    _nested(
        "recycled-not-asked",
        "a vCPU that takes a recycled shadow MMU makes no request to empty it",
        Edit(NESTED_C, EVERYWHERE, r"if \(s2_mmu->pending_unmap\)", "if (0)"),
    ),
    _nested(
        "emptied-in-name",
        "a recycled shadow MMU counts as empty before it was emptied",
        Edit(
            NESTED_C,
            "check_nested_vcpu_requests",
            r"kvm_stage2_unmap_range\([^;]*;",
            ";",
        ),
    ),
    _nested(
        "shadow-of-any-context",
        "a shadow MMU is found without a look at whose it is",
        Edit(NESTED_C, "lookup_s2_mmu", r"vttbr == mmu->tlb_vttbr &&", ""),
    ),
    _nested(
        "lookup-unlocked",
        "shadow MMUs are given out without mmu_lock",
        Edit(
            NESTED_C,
            "kvm_vcpu_load_hw_mmu",
            r"scoped_guard\(write_lock, &vcpu->kvm->mmu_lock\)",
            "",
        ),
    ),
    _nested(
        "loaded-not-counted",
        "a vCPU that runs on a shadow MMU holds no reference of it",
        Edit(NESTED_C, "get_s2_mmu_nested", r"atomic_inc\(&s2_mmu->refcnt\);", ";"),
    ),
    _nested(
        "put-not-counted",
        "a vCPU that is put keeps its reference of the shadow MMU",
        Edit(NESTED_C, "kvm_vcpu_put_hw_mmu", r"atomic_dec\(&vcpu->arch\.hw_mmu->refcnt\);", ";"),
    ),
    _nested(
        "freed-shadow-stays-valid",
        "a shadow MMU whose tables are freed is not marked invalid",
        Edit(
            MMU,
            "kvm_free_stage2_pgd",
            r"if \(kvm_is_nested_s2_mmu\(kvm, mmu\)\)\s+kvm_init_nested_s2_mmu\(mmu\);",
            ";",
        ),
    ),
    _nested(
        "notifier-forgets-shadows",
        "what the host unmaps stays in the shadows",
        Edit(MMU, "kvm_unmap_gfn_range", r"kvm_nested_s2_unmap\([^;]*;", ";"),
    ),
    _nested(
        "deletion-forgets-shadows",
        "a memslot goes and stays in the shadows",
        Edit(MMU, "kvm_arch_flush_shadow_memslot", r"kvm_nested_s2_unmap\([^;]*;", ";"),
    ),
    _nested(
        "log-begins-without-shadows",
        "a dirty log begins without write-protecting the shadows",
        Edit(MMU, "kvm_mmu_wp_memory_region", r"kvm_nested_s2_wp\([^;]*;", ";"),
    ),
    _nested(
        "log-read-without-shadows",
        "reading a dirty log does not write-protect the shadows",
        Edit(MMU, "kvm_arch_mmu_enable_log_dirty_pt_masked", r"kvm_nested_s2_wp\([^;]*;", ";"),
    ),
    _nested(
        "guest-rights-ignored",
        "a shadow is writable where the guest hypervisor's entry is not",
        Edit(
            MMU,
            "adjust_nested_fault_perms",
            r"if \(!kvm_s2_trans_writable\(nested\)\)",
            "if (0)",
        ),
    ),
    _nested(
        "guest-block-size-ignored",
        "a shadow has a block where the guest hypervisor has a page",
        Edit(MMU, EVERYWHERE, r"min\(kvm_s2_trans_size\(s2fd->nested\), max_map_size\)",
             "max_map_size"),
    ),
    _nested(
        "output-of-guest-ignored",
        "a shadow maps the nested guest's address as if it were its hypervisor's",
        Edit(
            MMU,
            EVERYWHERE,
            r"gfn = kvm_s2_trans_output\(s2fd->nested\)",
            "gfn = s2fd->fault_ipa",
        ),
    ),
    _nested(
        "invalid-guest-entry-used",
        "an invalid entry of the guest hypervisor is used",
        Edit(NESTED_C, "walk_nested_s2_pgd", r"if \(!\(desc & KVM_PTE_VALID\)\)", "if (0)"),
    ),
    _nested(
        "guest-fault-kept",
        "a permission fault that is the guest hypervisor's is not handed to it",
        Edit(NESTED_C, "kvm_s2_handle_perm_fault", r"return forward_fault;", "return false;"),
    ),
    _nested(
        "vncr-reset-unlocked",
        "a vCPU invalidates its translation of VNCR_EL2 without mmu_lock",
        Edit(
            NESTED_C,
            "kvm_translate_vncr",
            r"scoped_guard\(write_lock, &vcpu->kvm->mmu_lock\) \{",
            "{",
        ),
    ),
    _nested(
        "vncr-retry-ignored",
        "a page that a notifier took meanwhile is mapped for VNCR_EL2",
        Edit(NESTED_C, "kvm_translate_vncr", r"if \(mmu_invalidate_retry\([^{;]*\{", "if (0) {"),
    ),
    _nested(
        "notifier-forgets-vncr",
        "what the host unmaps stays mapped for VNCR_EL2",
        Edit(NESTED_C, "kvm_invalidate_vncr_ipa", r"invalidate_vncr\(kvm, vt\);", ";"),
    ),
    _nested(
        "vncr-stays-mapped",
        "an invalid translation of VNCR_EL2 stays mapped on its CPU",
        Edit(NESTED_C, "invalidate_vncr", r"unmap_l1_vncr\(vt\);", ";"),
    ),
    _nested(
        "vncr-not-dirty",
        "a page that registers are written to is not marked dirty",
        Edit(NESTED_C, "kvm_translate_vncr", r"mark_page_dirty\(vcpu->kvm, gfn\);", ";"),
    ),
    _nested(
        "tlbi-of-other-vmids",
        "a guest's TLBI reaches all VMIDs but the one it is for",
        Edit(NESTED_C, EVERYWHERE, r"if \(vmid == get_vmid", "if (vmid != get_vmid"),
    ),
    _nested(
        "tlbi-all-does-nothing",
        "a guest's TLBI of all VMIDs leaves every shadow",
        Edit(SYS_REGS, "handle_alle1is", r"kvm_nested_s2_unmap\([^;]*;", ";"),
    ),
    _nested(
        "tlbi-names-a-page-number",
        "a guest's TLBI of one address is taken for another address",
        Edit(SYS_REGS, "s2_mmu_unmap_ipa", r"(GENMASK_ULL\(35, 0\)\)) << 12", r"\1"),
    ),
    _nested(
        "range-tlbi-of-nothing",
        "a guest's TLBI of a range is taken for one of an empty range",
        Edit(SYS_REGS, "handle_ripas2e1is", r"\.size = range,", ".size = 0,"),
    ),
)  # fmt: skip
"""By what they touch: who has a shadow MMU, what it may map, what a TLBI must take out of it."""
