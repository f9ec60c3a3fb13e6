"""Faults of the walkers and of what they write: `hyp/pgtable.c`."""

from typing import Final

from stage2fuzz.kernel.faults.edit import MMU, PGTABLE, Edit, PlantedFault, one

_LEAF: Final = "stage2_map_walker_try_leaf"
_FLUSH_IPA: Final = r"kvm_call_hyp\(__kvm_tlb_flush_vmid_ipa, mmu, addr, level\);"
_FLUSH_CTX: Final = r"kvm_call_hyp\(__kvm_tlb_flush_vmid_ipa, mmu, ctx->addr,\s+ctx->level\);"

IN_PGTABLE: Final[tuple[PlantedFault, ...]] = (
    one(
        "cmpxchg-ignored",
        "the result of the compare-and-exchange is ignored",
        Edit(PGTABLE, "stage2_try_set_pte", r"return (cmpxchg\([^;]*\)) == \S+;", r"\1; return 1;"),
    ),
    one(
        "cmpxchg-stored",
        "a plain store instead of a compare-and-exchange",
        Edit(
            PGTABLE,
            "stage2_try_set_pte",
            r"return cmpxchg\([^;]*;",
            "WRITE_ONCE(*ctx->ptep, new); return 1;",
        ),
    ),
    one(
        "table-linked-plainly",
        "a table is published by a store that is no release",
        *(
            Edit(PGTABLE, function, r"smp_store_release\(((?:ctx->)?ptep), ", r"WRITE_ONCE(*\1, ")
            for function in ("stage2_make_pte", "kvm_set_table_pte")
        ),
    ),
    one(
        "root-zeros-late",
        "no barrier between the zeros of the root pages and their use",
        *(
            Edit(PGTABLE, function, r"\tdsb\(ishst\);", ";")
            for function in ("__kvm_pgtable_stage2_init", "kvm_pgtable_stage2_init")
        ),
    ),
    one(
        "unmap-without-tlbi",
        "unmap does not flush the leaf it removes",
        Edit(PGTABLE, "stage2_unmap_walker", _FLUSH_IPA, ";"),
        Edit(PGTABLE, "stage2_put_pte", _FLUSH_IPA, ";"),
        Edit(PGTABLE, "stage2_unmap_put_pte", _FLUSH_CTX, ";"),
    ),
    one(
        "unmap-flushes-next-page",
        "unmap flushes the page after the one it removes",
        Edit(PGTABLE, "stage2_unmap_walker", r"mmu, addr, level\)", "mmu, addr + 4096, level)"),
        Edit(PGTABLE, "stage2_put_pte", r"mmu, addr, level\)", "mmu, addr + 4096, level)"),
        Edit(PGTABLE, "stage2_unmap_put_pte", r"ctx->addr,(\s+ctx->level)", r"ctx->addr + 4096,\1"),
    ),
    one(
        "unmap-flushes-other-level",
        "unmap flushes with the level hint of a 1 GiB block",
        Edit(PGTABLE, "stage2_unmap_walker", r"mmu, addr, level\)", "mmu, addr, 1)"),
        Edit(PGTABLE, "stage2_put_pte", r"mmu, addr, level\)", "mmu, addr, 1)"),
        Edit(PGTABLE, "stage2_unmap_put_pte", r"ctx->addr,\s+ctx->level", "ctx->addr, 1"),
    ),
    one(
        "unmap-without-dcache-clean",
        "memory that is unmapped keeps its lines in the data cache",
        Edit(PGTABLE, "stage2_unmap_walker", r"need_flush = [^;]*;", "need_flush = false;", 2),
    ),
    one(
        "map-without-dcache-clean",
        "memory is mapped with the host's lines in the data cache",
        Edit(PGTABLE, _LEAF, r"(mm_ops->dcache_clean_inval_poc &&\s+stage2)", r"0 && \1"),
        Edit(MMU, "user_mem_abort", r"\n\s+clean_dcache_guest_page\([^;]*;", "\n;"),
    ),
    one(
        "table-flushed-by-level",
        "the flush of a removed table carries the level of the entry as a hint",
        Edit(PGTABLE, "stage2_unmap_put_pte", r"TLBI_TTL_UNKNOWN", "ctx->level"),
    ),
    one(
        "break-without-tlbi",
        "break-before-make of a leaf does not flush",
        Edit(PGTABLE, "stage2_try_break_pte", r"kvm_call_hyp\([^;]*;", ";"),
        Edit(PGTABLE, _LEAF, r"kvm_call_hyp\([^;]*;", ";"),
        Edit(
            PGTABLE,
            "stage2_map_walk_leaf",
            r"stage2_put_pte\(ptep, [^;]*;",
            "{ kvm_clear_pte(ptep); mm_ops->put_page(ptep); }",
        ),
    ),
    one(
        "collapse-without-flush",
        "a table is replaced by a block without flushing what it mapped",
        Edit(PGTABLE, "stage2_try_break_pte", r"kvm_tlb_flush_vmid_range\([^;]*;", ";"),
        Edit(PGTABLE, "stage2_map_walk_table_pre", r"kvm_call_hyp\([^;]*;", ";"),
    ),
    one(
        "wrprotect-keeps-write",
        "write-protecting leaves the leaf writable",
        Edit(PGTABLE, "kvm_pgtable_stage2_wrprotect", r"KVM_PTE_LEAF_ATTR_LO_S2_S2AP_W", "0"),
    ),
    one(
        "hole-ends-wrprotect",
        "write-protecting a range stops at the first hole",
        Edit(PGTABLE, "kvm_pgtable_stage2_wrprotect", r"KVM_PGTABLE_WALK_IGNORE_EAGAIN", "0"),
        Edit(
            PGTABLE,
            "kvm_pgtable_walk_continue",
            r"return !\(walker->flags & KVM_PGTABLE_WALK_HANDLE_FAULT\);",
            "return 0;",
        ),
    ),
    one(
        "permission-rule-reverted",
        "a leaf that differs in permissions only is rewritten by map",
        Edit(PGTABLE, _LEAF, r"if \(!(stage2_pte_needs_update)", r"if (0 && !\1"),
    ),
    one(
        "get-page-dropped",
        "a new leaf is not counted",
        Edit(PGTABLE, "stage2_make_pte", r"mm_ops->get_page\([^;]*;", ";"),
        Edit(PGTABLE, _LEAF, r"mm_ops->get_page\([^;]*;", ";"),
        Edit(PGTABLE, _LEAF, r"get_page\([^;]*;", ";"),
        Edit(PGTABLE, "stage2_map_walk_leaf", r"goto out_get_page;", "return 0;"),
    ),
    one(
        "lost-race-leaks",
        "the loser of a race for a table entry keeps its page",
        Edit(PGTABLE, "stage2_map_walk_leaf", r"mm_ops->put_page\(childp\);", ";"),
    ),
    one(
        "unmap-leaks-table",
        "an empty table is unlinked but not freed",
        Edit(PGTABLE, "stage2_unmap_walker", r"if \(childp\)", "if (childp && 0)"),
    ),
    one(
        "unmap-double-put",
        "an empty table is freed twice",
        Edit(
            PGTABLE,
            "stage2_unmap_walker",
            r"(mm_ops->put_page\(childp\);|free_page\(\(unsigned long\)childp\);)",
            r"{ \1 \1 }",
        ),
    ),
    one(
        "unmap-frees-full-table",
        "a table is freed although it still holds entries",
        Edit(PGTABLE, "stage2_unmap_walker", r"if \((\S*page_count\(.*\)) != 1\)", r"if (\1 < 1)"),
    ),
    one(
        "unmap-keeps-entry",
        "unmap flushes but leaves the entry valid",
        Edit(PGTABLE, "stage2_unmap_walker", r"kvm_set_invalid_pte\(ptep\);", ";"),
        Edit(PGTABLE, "stage2_put_pte", r"kvm_clear_pte\(ptep\);", ";"),
        Edit(PGTABLE, "stage2_unmap_put_pte", r"kvm_clear_pte\([^;]*;", ";"),
    ),
    one(
        "teardown-stops-early",
        "the tables above the first GiB are never given back",
        Edit(
            PGTABLE,
            "kvm_pgtable_stage2_destroy",
            r"kvm_pgtable_walk\(pgt, 0, BIT\(pgt->ia_bits\)",
            "kvm_pgtable_walk(pgt, 0, BIT(30)",
        ),
        Edit(
            PGTABLE,
            "kvm_pgtable_stage2_destroy_range",
            r"kvm_pgtable_walk\(pgt, addr, size",
            "kvm_pgtable_walk(pgt, addr, addr ? 0 : size",
        ),
    ),
    one(
        "missing-reload",
        "a walk does not look again at the entry that its callback changed",
        Edit(PGTABLE, "__kvm_pgtable_visit", r"reload = true;", ";", 0),
        Edit(
            PGTABLE,
            "__kvm_pgtable_visit",
            r"pte = \*ptep;\s+table = kvm_pte_table\(pte, level\);",
            ";",
        ),
    ),
    one(
        "wrong-level",
        "a block may be larger than the range that is mapped",
        Edit(PGTABLE, "kvm_block_mapping_supported", r"granule > \([^;]*?end - [^;]*?addr\)", "0"),
    ),
    one(
        "walk-forgets-offset",
        "each page of a split block is mapped to the block's first",
        Edit(PGTABLE, "stage2_map_walker_phys_addr", r"return phys \+ [^;]*;", "return phys;"),
    ),
    one(
        "flush-before-clear",
        "a leaf is flushed while its entry is still valid",
        Edit(
            PGTABLE,
            "stage2_unmap_walker",
            r"(kvm_set_invalid_pte\(ptep\);)\s+(kvm_call_hyp\([^;]*;)",
            r"\2 \1",
        ),
        Edit(
            PGTABLE,
            "stage2_put_pte",
            r"(kvm_clear_pte\(ptep\);)([^}]*?)(kvm_call_hyp\([^;]*;)",
            r"\2\3 \1",
        ),
        Edit(
            PGTABLE,
            "stage2_unmap_put_pte",
            r"(kvm_clear_pte\(ctx->ptep\);)([^}]*\}[^}]*\})",
            r"\2 \1",
        ),
    ),
    one(
        "split-breaks-first",
        "a block is broken before its table is there",
        Edit(
            PGTABLE,
            "stage2_split_walker",
            r"(childp = kvm_pgtable_stage2_create_unlinked\([^;]*;[^;]*;)[^;]*;[^;]*;\s*\}",
            r"if (!stage2_try_break_pte(ctx, mmu)) return -EAGAIN; \1",
        ),
    ),
    one(
        "split-takes-an-error-for-a-table",
        "a block is replaced by a table that could not be built",
        Edit(PGTABLE, "stage2_split_walker", r"IS_ERR\(childp\)", "!childp"),
    ),
    one(
        "relax-grants-write",
        "relaxing always grants write",
        Edit(
            PGTABLE,
            "kvm_pgtable_stage2_relax_perms",
            r"if \(prot & KVM_PGTABLE_PROT_W\)",
            "if (1)",
        ),
    ),
    one(
        "relax-takes-execute",
        "relaxing for execution forbids it",
        Edit(
            PGTABLE,
            "kvm_pgtable_stage2_relax_perms",
            r"clr \|= KVM_PTE_LEAF_ATTR_HI_S2_XN;",
            "set |= KVM_PTE_LEAF_ATTR_HI_S2_XN;",
        ),
        Edit(
            PGTABLE,
            "kvm_pgtable_stage2_relax_perms",
            r"stage2_set_xn_attr\(prot, &xn\)",
            "stage2_set_xn_attr(prot & ~KVM_PGTABLE_PROT_X, &xn)",
        ),
    ),
    one(
        "relax-without-tlbi",
        "relaxing does not flush",
        Edit(PGTABLE, "kvm_pgtable_stage2_relax_perms", r"kvm_call_hyp\([^;]*;", ";"),
    ),
    one(
        "relax-flushes-next-page",
        "relaxing flushes the page after the one it changed",
        Edit(
            PGTABLE,
            "kvm_pgtable_stage2_relax_perms",
            r"(kvm_tlb_flush_vmid_ipa\w*, pgt->mmu, addr)",
            r"\1 + 4096",
        ),
    ),
    one(
        "relax-flushes-other-level",
        "relaxing flushes with the level hint of a 1 GiB block",
        Edit(
            PGTABLE,
            "kvm_pgtable_stage2_relax_perms",
            r"(kvm_tlb_flush_vmid_ipa\w*, pgt->mmu, addr),[^;]*;",
            r"\1, 1);",
        ),
    ),
    one(
        "refused-relax-without-tlbi",
        "a relax that lost a race does not flush",
        Edit(PGTABLE, "kvm_pgtable_stage2_relax_perms", r"!ret \|\| ret == -EAGAIN", "!ret"),
    ),
    one(
        "relax-of-nothing-succeeds",
        "relaxing says that it did where there is no leaf",
        Edit(
            PGTABLE,
            "stage2_attr_walker",
            r"(if \(!kvm_pte_valid\(ctx->old\)\)\s+return) -EAGAIN;",
            r"\1 0;",
        ),
    ),
    one(
        "leaf-without-af",
        "new leaves lack the access flag",
        *(
            Edit(PGTABLE, function, r"attr \|= KVM_PTE_LEAF_ATTR_LO_S2_AF;", ";")
            for function in ("stage2_set_prot_attr", "stage2_map_set_prot_attr")
        ),
    ),
    one(
        "mkold-takes-read",
        "aging clears the read permission instead of the access flag",
        Edit(
            PGTABLE,
            "stage2_age_walker",
            r"KVM_PTE_LEAF_ATTR_LO_S2_AF",
            "KVM_PTE_LEAF_ATTR_LO_S2_S2AP_R",
        ),
        Edit(
            PGTABLE,
            "kvm_pgtable_stage2_mkold",
            r"KVM_PTE_LEAF_ATTR_LO_S2_AF",
            "KVM_PTE_LEAF_ATTR_LO_S2_S2AP_R",
        ),
    ),
)
