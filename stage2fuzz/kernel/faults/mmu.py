"""Faults of the fault handler and of the host's operations: `mmu.c`.

Up to 6.12 all of a fault is in `user_mem_abort`; later it is a chain of small functions.
"""

from typing import Final

from stage2fuzz.kernel.faults.edit import EVERYWHERE, MMU, Edit, PlantedFault, one

_ABORT: Final = "user_mem_abort"
_MAP: Final = "kvm_s2_fault_map"
_LOCKS: Final = ("spin_{}", "write_{}", "read_{}")
_SAME_SIZE: Final = (
    r"if \((?:fault_status == (?:ESR_ELx_)?FSC_PERM|fault_is_perm) && "
    r"vma_pagesize == fault_granule\)"
)
_UNLESS_SHARED: Final = {"write_{}": "if (!use_read_lock) "}

IN_MMU: Final[tuple[PlantedFault, ...]] = (
    one(
        "no-retry-check",
        "the notifier's sequence is not checked under the lock",
        Edit(MMU, _ABORT, r"if \((mmu_\w+_retry\(\w+, mmu_seq\))\)", r"if (\1 && 0)"),
        Edit(MMU, _MAP, r"if \((mmu_invalidate_retry\([^;]*\))\)", r"if (\1 && 0)"),
    ),
    PlantedFault(
        "sequence-after-lookup",
        "the notifier's sequence is sampled after the page was looked up",
        (
            *(
                (
                    Edit(MMU, _ABORT, rf"mmu_seq = {sequence};", ";"),
                    Edit(
                        MMU,
                        _ABORT,
                        r"if \(pfn == KVM_PFN_ERR_HWPOISON\)",
                        rf"mmu_seq = {sequence}; \g<0>",
                    ),
                )
                for sequence in ("vcpu->kvm->mmu_notifier_seq", "vcpu->kvm->mmu_invalidate_seq")
            ),
            (
                Edit(MMU, "kvm_s2_fault_get_vma_info", r"s2vi->mmu_seq = [^;]*;", ";"),
                Edit(
                    MMU,
                    "kvm_s2_fault_pin_pfn",
                    r"if \(unlikely\(is_error_noslot_pfn",
                    r"s2vi->mmu_seq = s2fd->vcpu->kvm->mmu_invalidate_seq; \g<0>",
                ),
            ),
        ),
    ),
    one(
        "wrprotect-without-flush",
        "dirty logging starts without flushing the TLBs",
        Edit(
            MMU,
            "kvm_mmu_wp_memory_region",
            r"kvm_flush_remote_tlbs(?:_memslot)?\([^;]*;",
            ";",
        ),
    ),
    one(
        "wrprotect-misses-first-page",
        "dirty logging starts with the second page of the slot",
        Edit(
            MMU,
            "kvm_mmu_wp_memory_region",
            r"(stage2_wp_range\([^,]*, start),",
            r"\1 + PAGE_SIZE,",
        ),
    ),
    one(
        "no-dirty-mark",
        "a page made writable is not marked dirty",
        Edit(MMU, _ABORT, r"mark_page_dirty\w*\(kvm[^;]*;", ";"),
        Edit(MMU, _MAP, r"mark_page_dirty\w*\(kvm[^;]*;", ";"),
    ),
    one(
        "wrong-page-dirty",
        "the page after the right one is marked dirty",
        Edit(MMU, _ABORT, r"(mark_page_dirty\w*\(kvm, (?:memslot, )?gfn)\)", r"\1 + 1)"),
        Edit(
            MMU,
            _MAP,
            r"(mark_page_dirty_in_slot\([^;]*gpa_to_gfn\(ipa\))\)",
            r"\1 + 1)",
        ),
    ),
    one(
        "writable-while-logging",
        "a read fault installs a writable page while logging",
        Edit(MMU, _ABORT, r"writable = false;", ";"),
        Edit(MMU, "kvm_s2_fault_compute_prot", r"!memslot_is_logging\([^)]*\)", "1"),
    ),
    one(
        "block-while-logging",
        "logging does not force pages",
        Edit(MMU, _ABORT, r"if \(logging_active( \|\|[^{]*)?\) \{", r"if (0\1) {"),
        Edit(MMU, "kvm_s2_resolve_vma_size", r"if \(memslot_is_logging\([^)]*\)\)", "if (0)"),
    ),
    PlantedFault(
        "fault-without-lock",
        "map and relax run without mmu_lock",
        tuple(
            (
                Edit(MMU, function, lock.format("lock") + argument, ";"),
                Edit(MMU, function, lock.format("unlock") + argument, ";", 0),
            )
            for function, lock, argument in (
                *((_ABORT, lock, r"\(&kvm->mmu_lock\);") for lock in _LOCKS),
                (_MAP, "kvm_fault_{}", r"\(kvm\);"),
            )
        ),
    ),
    PlantedFault(
        "lock-dropped-before-map",
        "mmu_lock is dropped and taken again between the check and the mapping",
        (
            *(
                (
                    Edit(MMU, _ABORT, lock.format("lock") + r"\(&kvm->mmu_lock\);", r"\g<0>"),
                    Edit(
                        MMU,
                        _ABORT,
                        _SAME_SIZE,
                        _UNLESS_SHARED.get(lock, "")
                        + f"{{ {lock.format('unlock')}(&kvm->mmu_lock);"
                        + rf" {lock.format('lock')}(&kvm->mmu_lock); }} \g<0>",
                    ),
                )
                for lock in _LOCKS
            ),
            (
                Edit(
                    MMU,
                    _MAP,
                    r"if \(mapping_size == perm_fault_granule\)",
                    r"kvm_fault_unlock(kvm); kvm_fault_lock(kvm); \g<0>",
                ),
            ),
        ),
    ),
    one(
        "fault-walks-unshared",
        "a fault walks as if nobody else did, under a lock that others hold too",
        Edit(MMU, _ABORT, r"KVM_PGTABLE_WALK_SHARED", "0"),
        Edit(MMU, _MAP, r"= KVM_PGTABLE_WALK_SHARED;", "= 0;"),
    ),
    one(
        "table-freed-at-once",
        "a replaced table is freed without waiting for those who walk in it",
        Edit(
            MMU,
            "stage2_free_unlinked_table",
            r"call_rcu\(([^,]*), (\w+)\);",
            r"\2(\1);",
        ),
    ),
    one(
        "deferred-free-frees-nothing",
        "a replaced table is handed to RCU, which does not free it",
        Edit(
            MMU,
            "stage2_free_unlinked_table_rcu_cb",
            r"(?:KVM_PGT_FN\()?kvm_pgtable_stage2_free_\w+\)?\([^;]*;",
            ";",
        ),
    ),
    one(
        "host-page-never-dirty",
        "the host does not learn that its page is written",
        Edit(MMU, _ABORT, r"kvm_set_pfn_dirty\([^;]*;", ";"),
        Edit(MMU, _MAP, r"(kvm_release_faultin_page\([^;]*), writable\);", r"\1, false);"),
    ),
    PlantedFault(
        "host-page-dirty-late",
        "the host's page is marked dirty after the lock was dropped",
        (
            (
                Edit(
                    MMU,
                    _MAP,
                    r"(kvm_release_faultin_page\([^;]*;)\s+(kvm_fault_unlock\(kvm\);)",
                    r"\2 \1",
                ),
            ),
            (
                Edit(MMU, _ABORT, r"kvm_set_pfn_dirty\([^;]*;", ";"),
                Edit(
                    MMU,
                    _ABORT,
                    r"kvm_set_pfn_accessed\([^;]*;",
                    r"if (writable && !ret) kvm_set_pfn_dirty(pfn); \g<0>",
                ),
            ),
        ),
    ),
    PlantedFault(
        "sequence-after-mmap-lock",
        "the notifier's sequence is sampled when the mmap lock is dropped already",
        (
            (
                Edit(MMU, _ABORT, r"mmu_seq = vcpu->kvm->mmu_invalidate_seq;", ";"),
                Edit(
                    MMU,
                    _ABORT,
                    r"pfn = __gfn_to_pfn_memslot\(",
                    r"mmu_seq = vcpu->kvm->mmu_invalidate_seq; \g<0>",
                ),
            ),
            (
                Edit(MMU, "kvm_s2_fault_get_vma_info", r"s2vi->mmu_seq = [^;]*;", ";"),
                Edit(
                    MMU,
                    "kvm_s2_fault_pin_pfn",
                    r"s2vi->pfn = __kvm_faultin_pfn\(",
                    r"s2vi->mmu_seq = s2fd->vcpu->kvm->mmu_invalidate_seq; \g<0>",
                ),
            ),
        ),
    ),
    one(
        "invalidate-short-range",
        "the notifier unmaps a page less than it was told",
        Edit(
            MMU,
            "kvm_unmap_gfn_range",
            r"\(range->end - range->start\) << PAGE_SHIFT",
            "(range->end - range->start - 1) << PAGE_SHIFT",
        ),
        Edit(MMU, "kvm_unmap_hva_handler", r"gpa, size,", "gpa, size - PAGE_SIZE,"),
    ),
    one(
        "wrong-frame",
        "the frame after the right one is mapped",
        Edit(MMU, _ABORT, r"__pfn_to_phys\(pfn\), prot", "__pfn_to_phys(pfn + 1), prot"),
        Edit(MMU, _MAP, r"__pfn_to_phys\(pfn\), prot", "__pfn_to_phys(pfn + 1), prot"),
    ),
    one(
        "wrong-offset",
        "a block of the guest starts at the faulting page of the host's",
        Edit(MMU, "transparent_hugepage_adjust", r"pfn &= ~\(PTRS_PER_PMD - 1\);", ";"),
    ),
    one(
        "block-misses-start",
        "a block's guest address is not aligned down",
        Edit(MMU, _ABORT, r"fault_ipa &= ~\(vma_pagesize - 1\);", ";"),
        Edit(
            MMU,
            "kvm_s2_fault_get_vma_info",
            r"ALIGN_DOWN\(s2fd->fault_ipa, s2vi->vma_pagesize\)",
            "s2fd->fault_ipa",
        ),
    ),
    one(
        "no-topup",
        "the memory cache is not filled before the lock",
        Edit(
            MMU,
            _ABORT,
            r"ret = (?:kvm_mmu_topup_memory_cache|topup_mmu_memcache)[^;]*;",
            "ret = 0;",
        ),
    ),
    one(
        "eagain-exits",
        "-EAGAIN of a lost race reaches user space",
        Edit(MMU, _ABORT, r"return ret != -EAGAIN \? ret : 0;", "return ret;"),
        Edit(MMU, _MAP, r"if \(ret != -EAGAIN\)\s+return ret;\s+return 0;", "return ret;"),
    ),
    one(
        "relax-wrong-size",
        "a permission fault always relaxes, whatever size is wanted",
        Edit(MMU, _ABORT, r" && vma_pagesize == fault_granule\)", ")"),
        Edit(MMU, _MAP, r"mapping_size == perm_fault_granule", "perm_fault_granule"),
    ),
    one(
        "device-as-normal",
        "device memory is mapped as normal memory",
        Edit(MMU, _ABORT, r"prot \|= KVM_PGTABLE_PROT_DEVICE;", ";"),
        Edit(
            MMU,
            "kvm_s2_fault_compute_prot",
            r"KVM_PGTABLE_PROT_NORMAL_NC : KVM_PGTABLE_PROT_DEVICE",
            "KVM_PGTABLE_PROT_NORMAL_NC : 0",
        ),
    ),
    one(
        "no-icache-invalidate",
        "executable leaves without instruction-cache invalidation",
        Edit(
            MMU,
            EVERYWHERE,
            r"\.icache_inval_pou\s*=\s*\w+,",
            ".icache_inval_pou = NULL,",
        ),
        Edit(MMU, _ABORT, r"invalidate_icache_guest_page\([^;]*;", ";"),
    ),
    one(
        "page-not-released",
        "the host page stays pinned",
        Edit(MMU, _ABORT, r"kvm_release_pfn_clean\(pfn\);", ";", 0),
        Edit(MMU, _MAP, r"kvm_release_faultin_page\([^;]*;", ";"),
    ),
    one(
        "null-dereference",
        "a fault handler reads through a null pointer",
        Edit(
            MMU,
            "handle_access_fault",
            r"mmu = vcpu->arch.hw_mmu;|(?=read_lock|write_lock|spin_lock)",
            r"*(volatile int *)8; \g<0>",
        ),
    ),
    one(
        "shift-too-far",
        "an access fault shifts by more than a word has bits",
        Edit(
            MMU,
            "handle_access_fault",
            r"mmu = vcpu->arch.hw_mmu;|(?=read_lock|write_lock|spin_lock)",
            r"{ volatile int by = 64; by = 1 << by; } \g<0>",
        ),
    ),
    one(
        "endless-loop",
        "aging never comes back",
        Edit(MMU, "kvm_age_gfn", r"if \(!kvm->arch.mmu.pgt", r"for (;;) barrier(); \g<0>"),
        Edit(MMU, "kvm_age_hva_handler", r"(WARN_ON)", r"for (;;) barrier(); \1"),
    ),
)
