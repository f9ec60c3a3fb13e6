"""The series' patches as edits of a v5.10 tree: what each changes, in our own words."""

from typing import Final

from stage2fuzz.kernel.faults.edit import MMU, PGTABLE, Edit, PlantedFault

_NEW: Final = """
    kvm_pte_t fresh = kvm_phys_to_pte(data->phys) | KVM_PTE_VALID |
        (data->attr & (KVM_PTE_LEAF_ATTR_LO | KVM_PTE_LEAF_ATTR_HI)) |
        FIELD_PREP(KVM_PTE_TYPE, level == KVM_PGTABLE_MAX_LEVELS - 1 ?
               KVM_PTE_TYPE_PAGE : KVM_PTE_TYPE_BLOCK);
    kvm_pte_t rights = KVM_PTE_LEAF_ATTR_LO_S2_S2AP_R |
        KVM_PTE_LEAF_ATTR_LO_S2_S2AP_W | KVM_PTE_LEAF_ATTR_HI_S2_XN;
    bool same_page = kvm_block_mapping_supported(addr, end, data->phys, level) &&
        kvm_pte_valid(*ptep) && !((*ptep ^ fresh) & ~rights);
"""
_BEFORE_LEAF: Final = r"(?=if \(stage2_map_walker_try_leaf\()"
_AFTER: Final = (
    Edit(MMU, "user_mem_abort", r"kvm_set_pfn_dirty\(pfn\);\s*mark_page_dirty\(kvm, gfn\);", ""),
    Edit(
        MMU,
        "user_mem_abort",
        r"out_unlock:",
        "if (writable && !ret) { kvm_set_pfn_dirty(pfn); mark_page_dirty(kvm, gfn); }\\n\\g<0>",
    ),
    Edit(MMU, "user_mem_abort", r"return ret;$", "return ret == -EAGAIN ? 0 : ret;", 0),
)

REARRANGED: Final = PlantedFault(
    "p1",
    "KVM: arm64: Adjust partial code of hyp stage-1 map and guest stage-2 map",
    (
        (
            Edit(
                PGTABLE,
                "kvm_set_valid_leaf_pte",
                r"if \(kvm_pte_valid\(old\)\)\s*return old == pte;\s*"
                r"smp_store_release\(ptep, pte\);\s*return true;",
                "if (!kvm_pte_valid(old)) { smp_store_release(ptep, pte); return true; }\\n"
                "\\treturn old == pte;",
            ),
        ),
    ),
)
FILTERED: Final = PlantedFault(
    "p2",
    "KVM: arm64: Filter out the case of only changing permissions from stage-2 map path",
    (
        (
            Edit(
                PGTABLE,
                "stage2_map_walk_leaf",
                _BEFORE_LEAF,
                _NEW + "\\tif (same_page) return -EAGAIN;\\n\\t",
            ),
        ),
    ),
)
MARKED_LATE: Final = PlantedFault(
    "p3",
    "KVM: arm64: Mark the page dirty only if the fault is handled successfully",
    (_AFTER,),
)
UNITED: Final = PlantedFault(
    "v4",
    "KVM: arm64: Add the permissions of a leaf in place (v4)",
    (
        (
            Edit(
                PGTABLE,
                "stage2_map_walk_leaf",
                _BEFORE_LEAF,
                _NEW + "\\tif (same_page) {\\n"
                "\\t\\tkvm_pte_t both = *ptep | (fresh & (KVM_PTE_LEAF_ATTR_LO_S2_S2AP_R |\\n"
                "\\t\\t\\tKVM_PTE_LEAF_ATTR_LO_S2_S2AP_W));\\n"
                "\\t\\tif (!(fresh & KVM_PTE_LEAF_ATTR_HI_S2_XN))\\n"
                "\\t\\t\\tboth &= ~KVM_PTE_LEAF_ATTR_HI_S2_XN;\\n"
                "\\t\\tif (both != *ptep) smp_store_release(ptep, both);\\n"
                "\\t\\tdata->phys += kvm_granule_size(level);\\n"
                "\\t\\treturn 0;\\n\\t}\\n\\t",
            ),
        ),
    ),
)
