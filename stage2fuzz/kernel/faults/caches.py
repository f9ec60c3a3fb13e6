"""Faults of what KVM does for a guest that switches its caches, or cleans them by set and way."""

from typing import Final

from stage2fuzz.kernel.faults.edit import MMU, PGTABLE, Edit, PlantedFault, one

OF_CACHES: Final[tuple[PlantedFault, ...]] = (
    one(
        "set-way-forgets-to-trap",
        "after maintenance by set and way the caches are switched unseen",
        Edit(MMU, "kvm_set_way_flush", r"= hcr \| HCR_TVM;", "= hcr;"),
    ),
    one(
        "switches-trap-for-ever",
        "a vCPU whose caches are on again still traps their switch",
        Edit(MMU, "kvm_toggle_cache", r"&= ~HCR_TVM;", "&= ~0UL;"),
    ),
    one(
        "caches-on-without-clean",
        "memory is not cleaned as the caches come on",
        Edit(
            MMU,
            "kvm_toggle_cache",
            r"if \(now_enabled != was_enabled\)",
            "if (was_enabled && !now_enabled)",
        ),
    ),
    one(
        "block-flushed-in-part",
        "the first page of each block is cleaned, and no other",
        Edit(PGTABLE, "stage2_flush_walker", r"kvm_granule_size\((?:ctx->)?level\)", "PAGE_SIZE"),
    ),
    one(
        "half-slot-flushed",
        "the second half of a slot is not cleaned",
        Edit(MMU, "stage2_flush_memslot", r"memslot->npages", "(memslot->npages + 1) / 2"),
    ),
    one(
        "first-slot-flushed",
        "memory of the first slot alone is cleaned",
        Edit(
            MMU,
            "stage2_flush_vm",
            r"stage2_flush_memslot\(kvm, memslot\);",
            "{ stage2_flush_memslot(kvm, memslot); break; }",
        ),
    ),
    one(
        "flush-without-lock",
        "all memory is cleaned while faults may run",
        Edit(MMU, "stage2_flush_vm", r"write_((?:un)?lock\(&kvm->mmu_lock\);)", r"read_\1", 0),
        Edit(MMU, "stage2_flush_vm", r"spin_(?:un)?lock\(&kvm->mmu_lock\);", "", 0),
    ),
)
