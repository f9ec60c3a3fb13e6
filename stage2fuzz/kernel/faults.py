"""Faults to plant in a copy of a tree: a short pattern, what replaces it, in which function.

Each fault lists alternatives, because the same step is written in other words from version to
version; the first whose patterns all match is applied. A fault with none is not for this tree.
"""

from dataclasses import dataclass
from typing import Final

PGTABLE: Final = "hyp/pgtable.c"
MMU: Final = "mmu.c"
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
class Fault:
    """A named fault and the ways to write it."""

    name: str
    what: str
    ways: tuple[tuple[Edit, ...], ...]


def _one(name: str, what: str, *edits: Edit) -> Fault:
    """A fault whose every edit is a way of its own."""
    return Fault(name, what, tuple((edit,) for edit in edits))


_ABORT = "user_mem_abort"
_LEAF = "stage2_map_walker_try_leaf"
_FLUSH_IPA = r"kvm_call_hyp\(__kvm_tlb_flush_vmid_ipa, mmu, addr, level\);"
_FLUSH_CTX = r"kvm_call_hyp\(__kvm_tlb_flush_vmid_ipa, mmu, ctx->addr,\s+ctx->level\);"
_SAME_SIZE = r"if \((?:fault_status == FSC_PERM|fault_is_perm) && vma_pagesize == fault_granule\)"

FAULTS: Final = (
    _one(
        "no-retry-check",
        "the notifier's sequence is not checked under the lock",
        Edit(MMU, _ABORT, r"if \((mmu_\w+_retry\(\w+, mmu_seq\))\)", r"if (\1 && 0)"),
    ),
    Fault(
        "sequence-after-lookup",
        "the notifier's sequence is sampled after the page was looked up",
        (
            (
                Edit(MMU, _ABORT, r"mmu_seq = vcpu->kvm->mmu_notifier_seq;", ";"),
                Edit(
                    MMU,
                    _ABORT,
                    r"(if \(pfn == KVM_PFN_ERR_HWPOISON\))",
                    r"mmu_seq = vcpu->kvm->mmu_notifier_seq; \1",
                ),
            ),
            (
                Edit(MMU, _ABORT, r"mmu_seq = vcpu->kvm->mmu_invalidate_seq;", ";"),
                Edit(
                    MMU,
                    _ABORT,
                    r"(if \(pfn == KVM_PFN_ERR_HWPOISON\))",
                    r"mmu_seq = vcpu->kvm->mmu_invalidate_seq; \1",
                ),
            ),
        ),
    ),
    _one(
        "cmpxchg-ignored",
        "the result of the compare-and-exchange is ignored",
        Edit(PGTABLE, "stage2_try_set_pte", r"return (cmpxchg\([^;]*\)) == \S+;", r"\1; return 1;"),
    ),
    _one(
        "cmpxchg-stored",
        "a plain store instead of a compare-and-exchange",
        Edit(
            PGTABLE,
            "stage2_try_set_pte",
            r"return cmpxchg\([^;]*;",
            "WRITE_ONCE(*ctx->ptep, new); return 1;",
        ),
    ),
    _one(
        "unmap-without-tlbi",
        "unmap does not flush the leaf it removes",
        Edit(PGTABLE, "stage2_unmap_walker", _FLUSH_IPA, ";"),
        Edit(PGTABLE, "stage2_put_pte", _FLUSH_IPA, ";"),
        Edit(PGTABLE, "stage2_unmap_put_pte", _FLUSH_CTX, ";"),
    ),
    _one(
        "unmap-flushes-next-page",
        "unmap flushes the page after the one it removes",
        Edit(PGTABLE, "stage2_unmap_walker", r"mmu, addr, level\)", "mmu, addr + 4096, level)"),
        Edit(PGTABLE, "stage2_put_pte", r"mmu, addr, level\)", "mmu, addr + 4096, level)"),
        Edit(PGTABLE, "stage2_unmap_put_pte", r"ctx->addr,(\s+ctx->level)", r"ctx->addr + 4096,\1"),
    ),
    _one(
        "unmap-flushes-other-level",
        "unmap flushes with the level hint of a 1 GiB block",
        Edit(PGTABLE, "stage2_unmap_walker", r"mmu, addr, level\)", "mmu, addr, 1)"),
        Edit(PGTABLE, "stage2_put_pte", r"mmu, addr, level\)", "mmu, addr, 1)"),
        Edit(PGTABLE, "stage2_unmap_put_pte", r"ctx->addr,\s+ctx->level", "ctx->addr, 1"),
    ),
    _one(
        "break-without-tlbi",
        "break-before-make of a leaf does not flush",
        Edit(PGTABLE, "stage2_try_break_pte", r"kvm_call_hyp\([^;]*;", ";"),
        Edit(PGTABLE, _LEAF, r"kvm_call_hyp\([^;]*;", ";"),
    ),
    _one(
        "collapse-without-flush",
        "a table is replaced by a block without flushing what it mapped",
        Edit(PGTABLE, "stage2_try_break_pte", r"kvm_tlb_flush_vmid_range\([^;]*;", ";"),
        Edit(PGTABLE, "stage2_map_walk_table_pre", r"kvm_call_hyp\([^;]*;", ";"),
    ),
    _one(
        "wrprotect-keeps-write",
        "write-protecting leaves the leaf writable",
        Edit(
            PGTABLE,
            "kvm_pgtable_stage2_wrprotect",
            r"KVM_PTE_LEAF_ATTR_LO_S2_S2AP_W",
            "0",
        ),
    ),
    _one(
        "wrprotect-without-flush",
        "dirty logging starts without flushing the TLBs",
        Edit(
            MMU,
            "kvm_mmu_wp_memory_region",
            r"kvm_flush_remote_tlbs(?:_memslot)?\([^;]*;",
            ";",
        ),
    ),
    _one(
        "permission-rule-reverted",
        "a leaf that differs in permissions only is rewritten by map",
        Edit(PGTABLE, _LEAF, r"if \(!(stage2_pte_needs_update)", r"if (0 && !\1"),
    ),
    _one(
        "get-page-dropped",
        "a new leaf is not counted",
        Edit(PGTABLE, "stage2_make_pte", r"mm_ops->get_page\([^;]*;", ";"),
        Edit(PGTABLE, _LEAF, r"mm_ops->get_page\([^;]*;", ";"),
        Edit(PGTABLE, _LEAF, r"get_page\([^;]*;", ";"),
        Edit(PGTABLE, "stage2_map_walk_leaf", r"goto out_get_page;", "return 0;"),
    ),
    _one(
        "lost-race-leaks",
        "the loser of a race for a table entry keeps its page",
        Edit(PGTABLE, "stage2_map_walk_leaf", r"mm_ops->put_page\(childp\);", ";"),
    ),
    _one(
        "unmap-leaks-table",
        "an empty table is unlinked but not freed",
        Edit(PGTABLE, "stage2_unmap_walker", r"if \(childp\)", "if (childp && 0)"),
    ),
    _one(
        "unmap-double-put",
        "an empty table is freed twice",
        Edit(
            PGTABLE,
            "stage2_unmap_walker",
            r"(mm_ops->put_page\(childp\);|free_page\(\(unsigned long\)childp\);)",
            r"{ \1 \1 }",
        ),
    ),
    _one(
        "unmap-frees-full-table",
        "a table is freed although it still holds entries",
        Edit(PGTABLE, "stage2_unmap_walker", r"if \((\S*page_count\(.*\)) != 1\)", r"if (\1 < 1)"),
    ),
    _one(
        "unmap-keeps-entry",
        "unmap flushes but leaves the entry valid",
        Edit(PGTABLE, "stage2_unmap_walker", r"kvm_set_invalid_pte\(ptep\);", ";"),
        Edit(PGTABLE, "stage2_put_pte", r"kvm_clear_pte\(ptep\);", ";"),
        Edit(PGTABLE, "stage2_unmap_put_pte", r"kvm_clear_pte\([^;]*;", ";"),
    ),
    _one(
        "no-dirty-mark",
        "a page made writable is not marked dirty",
        Edit(MMU, _ABORT, r"mark_page_dirty\w*\(kvm[^;]*;", ";"),
    ),
    _one(
        "writable-while-logging",
        "a read fault installs a writable page while logging",
        Edit(MMU, _ABORT, r"writable = false;", ";"),
    ),
    _one(
        "block-while-logging",
        "logging does not force pages",
        Edit(MMU, _ABORT, r"if \(logging_active( \|\|[^{]*)?\) \{", r"if (0\1) {"),
    ),
    Fault(
        "fault-without-lock",
        "map and relax run without mmu_lock",
        (
            (
                Edit(MMU, _ABORT, r"spin_lock\(&kvm->mmu_lock\);", ";"),
                Edit(MMU, _ABORT, r"spin_unlock\(&kvm->mmu_lock\);", ";", 0),
            ),
            (
                Edit(MMU, _ABORT, r"write_lock\(&kvm->mmu_lock\);", ";"),
                Edit(MMU, _ABORT, r"write_unlock\(&kvm->mmu_lock\);", ";", 0),
            ),
            (
                Edit(MMU, _ABORT, r"read_lock\(&kvm->mmu_lock\);", ";"),
                Edit(MMU, _ABORT, r"read_unlock\(&kvm->mmu_lock\);", ";", 0),
            ),
        ),
    ),
    Fault(
        "lock-dropped-before-map",
        "mmu_lock is dropped and taken again between the check and the mapping",
        tuple(
            (
                Edit(MMU, _ABORT, rf"{kind}_lock\(&kvm->mmu_lock\);", r"\g<0>"),
                Edit(
                    MMU,
                    _ABORT,
                    f"({_SAME_SIZE})",
                    rf"{guard}{{ {kind}_unlock(&kvm->mmu_lock); {kind}_lock(&kvm->mmu_lock); }} \1",
                ),
            )
            for kind, guard in (
                ("spin", ""),
                ("write", "if (!use_read_lock) "),
                ("read", ""),
            )
        ),
    ),
    _one(
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
    _one(
        "wrong-frame",
        "the frame after the right one is mapped",
        Edit(MMU, _ABORT, r"__pfn_to_phys\(pfn\), prot", "__pfn_to_phys(pfn + 1), prot"),
    ),
    _one(
        "block-misses-start",
        "a block's guest address is not aligned down",
        Edit(MMU, _ABORT, r"fault_ipa &= ~\(vma_pagesize - 1\);", ";"),
    ),
    _one(
        "no-topup",
        "the memory cache is not filled before the lock",
        Edit(MMU, _ABORT, r"ret = kvm_mmu_topup_memory_cache\([^;]*;", "ret = 0;"),
    ),
    _one(
        "eagain-exits",
        "-EAGAIN of a lost race reaches user space",
        Edit(MMU, _ABORT, r"return ret != -EAGAIN \? ret : 0;", "return ret;"),
    ),
    _one(
        "relax-grants-write",
        "relaxing always grants write",
        Edit(
            PGTABLE,
            "kvm_pgtable_stage2_relax_perms",
            r"if \(prot & KVM_PGTABLE_PROT_W\)",
            "if (1)",
        ),
    ),
    _one(
        "relax-takes-execute",
        "relaxing for execution forbids it",
        Edit(
            PGTABLE,
            "kvm_pgtable_stage2_relax_perms",
            r"clr \|= KVM_PTE_LEAF_ATTR_HI_S2_XN;",
            "set |= KVM_PTE_LEAF_ATTR_HI_S2_XN;",
        ),
    ),
    _one(
        "relax-wrong-size",
        "a permission fault always relaxes, whatever size is wanted",
        Edit(MMU, _ABORT, r" && vma_pagesize == fault_granule\)", ")"),
    ),
    _one(
        "leaf-without-af",
        "new leaves lack the access flag",
        Edit(
            PGTABLE,
            "stage2_set_prot_attr",
            r"attr \|= KVM_PTE_LEAF_ATTR_LO_S2_AF;",
            ";",
        ),
    ),
    _one(
        "device-as-normal",
        "device memory is mapped as normal memory",
        Edit(MMU, _ABORT, r"prot \|= KVM_PGTABLE_PROT_DEVICE;", ";"),
    ),
    _one(
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
    _one(
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
    _one(
        "page-not-released",
        "the host page stays pinned",
        Edit(MMU, _ABORT, r"kvm_release_pfn_clean\(pfn\);", ";", 0),
    ),
    _one(
        "relax-without-tlbi",
        "relaxing does not flush",
        Edit(PGTABLE, "kvm_pgtable_stage2_relax_perms", r"kvm_call_hyp\([^;]*;", ";"),
    ),
    _one(
        "null-dereference",
        "a fault handler reads through a null pointer",
        Edit(
            MMU,
            "handle_access_fault",
            r"mmu = vcpu->arch.hw_mmu;|(?=read_lock|write_lock|spin_lock)",
            r"*(volatile int *)8; \g<0>",
        ),
    ),
    _one(
        "endless-loop",
        "aging never comes back",
        Edit(MMU, "kvm_age_gfn", r"if \(!kvm->arch.mmu.pgt\)", r"for (;;) barrier(); \g<0>"),
        Edit(MMU, "kvm_age_hva_handler", r"(WARN_ON)", r"for (;;) barrier(); \1"),
    ),
)
