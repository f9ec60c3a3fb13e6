"""Faults of how large the host's mapping is, and of what becomes of it meanwhile."""

from typing import Final

from stage2fuzz.kernel.faults.edit import MMU, PGTABLE, Edit, PlantedFault, one

_ABORT: Final = "user_mem_abort"
_SIZE: Final = "kvm_s2_resolve_vma_size"
_ADJUST: Final = "transparent_hugepage_adjust"


def _of_size(name: str, what: str, pattern: str, replacement: str) -> PlantedFault:
    """A fault of the switch over the VMA's size, wherever a tree has it."""
    return one(name, what, *(Edit(MMU, where, pattern, replacement) for where in (_ABORT, _SIZE)))


OF_HUGE_PAGES: Final[tuple[PlantedFault, ...]] = (
    one(
        "split-page-as-huge",
        "a huge page that the host maps by pages meanwhile is mapped by a block",
        Edit(MMU, _ADJUST, r"if \(sz < PMD_SIZE\)\s+return PAGE_SIZE;", ""),
        Edit(MMU, _ADJUST, r"kvm_is_transparent_hugepage\(pfn\) &&", ""),
    ),
    one(
        "huge-frame-not-aligned",
        "the block for a page of a huge page begins at that page's frame",
        Edit(MMU, _ADJUST, r"pfn &= ~\(PTRS_PER_PMD - 1\);", ""),
    ),
    _of_size(
        "hugetlb-unchecked",
        "2 MiB of hugetlbfs are mapped by a block wherever the slot begins and ends",
        r"case PMD_SHIFT:\s+if \(fault_supports_stage2_huge_mapping\([^)]*\)\)",
        "case PMD_SHIFT: if (1)",
    ),
    _of_size(
        "contiguous-blocks-unknown",
        "32 MiB of hugetlbfs are taken for the size of a block",
        r"case CONT_PMD_SHIFT:\s+vma_shift = PMD_SHIFT;\s+fallthrough;",
        "",
    ),
    one(
        "apply-range-keeps-tables",
        "what was the page table before mmu_lock was offered is used afterwards",
        Edit(
            MMU,
            "stage2_apply_range",
            r"(u64 next;\s+)do \{\s+struct kvm_pgtable \*pgt = (mmu->pgt|kvm->arch\.mmu\.pgt);",
            r"\1struct kvm_pgtable *pgt = \2; do {",
        ),
    ),
    one(
        "split-grants-write",
        "the pages of a block that is split eagerly are writable",
        Edit(
            PGTABLE,
            "stage2_split_walker",
            r"(prot = kvm_pgtable_stage2_pte_prot\(pte\));",
            r"\1 | KVM_PGTABLE_PROT_W;",
        ),
    ),
    one(
        "walk-over-holes-unaligned",
        "a walk that begins inside a hole's block goes on as far inside the next one",
        Edit(
            PGTABLE,
            "__kvm_pgtable_visit",
            r"data->addr = ALIGN_DOWN\(data->addr, kvm_granule_size\(level\)\);",
            "",
        ),
    ),
)
