"""Faults at the edges: of a slot, of a word of the dirty log, of a range, of a section held."""

from typing import Final

from stage2fuzz.kernel.faults.edit import MMU, PGTABLE, Edit, PlantedFault, one

_LAST_BIT: Final = (r"__fls\(mask\) \+ 1\)", "__fls(mask) + !(mask & (mask - 1)))")

AT_EDGES: Final[tuple[PlantedFault, ...]] = (
    one(
        "block-before-slot",
        "a block may begin before its slot",
        Edit(
            MMU,
            "fault_supports_stage2_huge_mapping",
            r"return \(hva & ~\(map_size - 1\)\) >= uaddr_start &&\s+",
            "return ",
        ),
    ),
    one(
        "clear-misses-last",
        "clearing a word of the log leaves its last page writable",
        Edit(MMU, "kvm_arch_mmu_enable_log_dirty_pt_masked", *_LAST_BIT),
        Edit(MMU, "kvm_mmu_write_protect_pt_masked", *_LAST_BIT),
    ),
    one(
        "deletion-truncated",
        "the size of a deleted slot is kept in 32 bits",
        Edit(MMU, "kvm_arch_flush_shadow_memslot", r"phys_addr_t size = slot", "u32 size = slot"),
    ),
    one(
        "age-last-page",
        "of a range that the host maps by a block the last page alone is aged",
        Edit(
            MMU,
            "kvm_age_gfn",
            r"range->start << PAGE_SHIFT,\s+size, true",
            "(range->end - 1) << PAGE_SHIFT, size ? PAGE_SIZE : 0, true",
        ),
    ),
    one(
        "test-young-clears",
        "asking for an access flag takes it",
        Edit(MMU, "kvm_test_age_gfn", r"size, false\)", "size, true)"),
    ),
    one(
        "access-flag-keeps-srcu",
        "an access-flag fault leaves its read-side section of the memslots open",
        Edit(
            MMU,
            "kvm_handle_guest_abort",
            r"(handle_access_fault\(vcpu, fault_ipa\);\s+ret = 1;\s+)goto out_unlock;",
            r"\1return 1;",
        ),
    ),
    one(
        "accessed-page-of-nobody",
        "an access-flag fault that finds no leaf marks page frame 0 accessed",
        Edit(MMU, "handle_access_fault", r"if \(kvm_pte_valid\(pte\)\)", ""),
        Edit(MMU, "handle_access_fault", r"if \(pte_valid\(pte\)\)", ""),
    ),
    one(
        "notifier-of-a-dead-vm",
        "an unmap does not ask whether there are tables any more",
        Edit(MMU, "kvm_unmap_gfn_range", r"if \(!kvm->arch\.mmu\.pgt\)\s+return (false|0);", ""),
        Edit(MMU, "kvm_unmap_hva_range", r"if \(!kvm->arch\.mmu\.pgt\)\s+return 0;", ""),
    ),
    one(
        "freed-before-unpublished",
        "a dying VM frees its tables before notifiers are kept from them",
        Edit(
            MMU,
            "kvm_free_stage2_pgd",
            r"\n\t\tmmu->pgt = NULL;([^}]*\}\s+\w+_unlock\(&kvm->mmu_lock\);\s+if \(pgt\) \{)"
            r"(\s+kvm_(?:pgtable_)?stage2_destroy\([^;]*;)",
            r"\1\2 mmu->pgt = NULL;",
        ),
    ),
    one(
        "root-left-behind",
        "a VM's root page table is not freed with it",
        Edit(
            PGTABLE,
            "kvm_pgtable_stage2_destroy",
            r"(?:pgt->mm_ops->)?free_pages_exact\([^;]*;",
            ";",
        ),
        Edit(
            PGTABLE, "kvm_pgtable_stage2_destroy_pgd", r"pgt->mm_ops->free_pages_exact\([^;]*;", ";"
        ),
    ),
    one(
        "manual-log-unprotected",
        "a log that is cleared by hand is not protected as it begins",
        Edit(
            MMU,
            "kvm_arch_commit_memory_region",
            r"kvm_dirty_log_manual_protect_and_init_set\(kvm\)",
            "kvm->manual_dirty_log_protect",
        ),
    ),
    one(
        "init-keeps-last-page",
        "a vCPU's initialisation leaves the last page of each slot mapped",
        Edit(
            MMU,
            "stage2_unmap_memslot",
            r"((?:kvm_stage2_unmap_range|unmap_stage2_range)\([^;]*vm_end - vm_start)",
            r"\1 - PAGE_SIZE * (vm_end - vm_start > PAGE_SIZE)",
        ),
    ),
    one(
        "init-under-shared-lock",
        "a vCPU's initialisation unmaps memory while faults may run",
        Edit(MMU, "stage2_unmap_vm", r"write_((?:un)?lock\(&kvm->mmu_lock\);)", r"read_\1", 0),
        Edit(MMU, "stage2_unmap_vm", r"spin_(?:un)?lock\(&kvm->mmu_lock\);", "", 0),
    ),
    one(
        "failed-split-unlocks-twice",
        "an eager split whose top-up fails goes back without mmu_lock",
        Edit(
            MMU,
            "kvm_mmu_split_huge_pages",
            r"write_lock\(&kvm->mmu_lock\);(\s+if \(ret\)\s+break;)",
            r"\1 write_lock(&kvm->mmu_lock);",
        ),
    ),
)
