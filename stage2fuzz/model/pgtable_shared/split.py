"""Eager splitting of v6.12: the blocks of a slot whose log was switched on become pages at once.

The page table that replaces a block is filled where nobody can see it, so it needs neither flush
nor cache maintenance; only the entry that links it is broken. It is best effort: where pages run
out, the rest of the slot is left to its faults.
"""

from typing import Final

from stage2fuzz.arch import (
    ENTRIES,
    LAST_LEVEL,
    PTE_ADDRESS,
    PTE_LOCKED,
    PTE_READ,
    PTE_TABLE,
    PTE_VALID,
    PTE_WRITE,
    PTE_XN,
)
from stage2fuzz.events import (
    CALL,
    CALL_SPLIT,
    DSB_ISHST,
    EAGAIN,
    ENOMEM,
    LOCK_MMU,
    ORDER_RELEASE,
    RETURN,
)
from stage2fuzz.model.machine.vm import SPLIT_CACHE, MemorySlot, Vm
from stage2fuzz.model.mmu.abort_v5_10 import topup
from stage2fuzz.model.pgtable.leaf import (
    PROT_R,
    PROT_W,
    PROT_X,
    kvm_init_valid_leaf_pte,
    stage2_set_prot_attr,
)
from stage2fuzz.model.pgtable.walk import GRANULES, LEAF
from stage2fuzz.model.pgtable_shared.entries import stage2_make_pte, stage2_try_break_pte
from stage2fuzz.model.pgtable_shared.walk import SharedWalk, Visit, kvm_pgtable_walk

CHUNK: Final = GRANULES[2]
"""KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE: what is split before the lock may be dropped."""
CHUNK_TABLES: Final = 2
"""kvm_mmu_split_nr_page_tables: pages that the split of one chunk may need."""
MAX_PAGES: Final = 1024
"""Larger slots are not split eagerly, since a run would walk them chunk by chunk."""


def splits_eagerly(vm: Vm) -> bool:
    """A choice of the VMM; here it comes with 48 IPA bits, where all slots are small enough."""
    slots = vm.scenario.slots
    return vm.options.ipa_bits == 48 and all(slot.pages <= MAX_PAGES for slot in slots)


def kvm_mmu_split_memory_region(vm: Vm, slot: MemorySlot) -> None:
    """Split the slot's blocks; where nobody asked for it (a chunk size of 0) only lock."""
    vm.lock(LOCK_MMU)
    if splits_eagerly(vm):
        kvm_mmu_split_huge_pages(vm, slot.start, slot.end)
    vm.unlock(LOCK_MMU)


def kvm_mmu_split_huge_pages(vm: Vm, start: int, end: int) -> None:
    """Chunk by chunk; to fill the cache, or for somebody who waits, mmu_lock is dropped."""
    while start < end:
        if vm.contended(LOCK_MMU) or vm.caches[SPLIT_CACHE] < CHUNK_TABLES:
            vm.unlock(LOCK_MMU)
            filled = topup(vm, SPLIT_CACHE, CHUNK_TABLES, CHUNK_TABLES)
            vm.lock(LOCK_MMU)
            if not filled:
                return
        following = min(end, (start & -CHUNK) + CHUNK)
        if kvm_pgtable_stage2_split(vm, start, following - start):
            return
        start = following


def kvm_pgtable_stage2_split(vm: Vm, addr: int, size: int) -> int:
    """Replace the blocks of the range by tables: 0, or -ENOMEM where the cache is empty."""
    vm.record((CALL, vm.current, addr, size, 0, CALL_SPLIT))
    ret = kvm_pgtable_walk(vm, SharedWalk(addr, size, stage2_split_walker, LEAF))
    vm.dsb(DSB_ISHST)
    vm.record((RETURN, vm.current, addr, size, ret, CALL_SPLIT))
    return ret


def stage2_split_walker(vm: Vm, _walk: SharedWalk, visit: Visit, _flag: int) -> int:
    """Link a table of smaller leaves in place of a valid block."""
    if visit.level == LAST_LEVEL or not visit.old & PTE_VALID:
        return 0
    if not vm.caches[SPLIT_CACHE]:
        return -ENOMEM
    child = kvm_pgtable_stage2_create_unlinked(vm, visit.old, visit.level)
    if not stage2_try_break_pte(vm, visit):
        return -EAGAIN
    stage2_make_pte(vm, visit, child | PTE_TABLE | PTE_VALID)
    return 0


def kvm_pgtable_stage2_create_unlinked(vm: Vm, block: int, level: int) -> int:
    """A table of leaves, one level down, that map what ``block`` maps, with its permissions.

    The real one maps in the private table as a fault would, so each entry is taken first.
    """
    attr = stage2_set_prot_attr(kvm_pgtable_stage2_pte_prot(block), vm.options.fwb)
    vm.caches[SPLIT_CACHE] -= 1
    table = vm.alloc_page()
    for index in range(ENTRIES):
        ptep = table + 8 * index
        phys = (block & PTE_ADDRESS) + index * GRANULES[level + 1]
        vm.store(ptep, PTE_LOCKED)
        vm.get_page(ptep)
        vm.store(ptep, kvm_init_valid_leaf_pte(phys, attr, level + 1), ORDER_RELEASE)
    return table


def kvm_pgtable_stage2_pte_prot(pte: int) -> int:
    """The PROT_* flags of a leaf; its memory type is not among them."""
    prot = (PROT_R if pte & PTE_READ else 0) | (PROT_W if pte & PTE_WRITE else 0)
    return prot if pte & PTE_XN else prot | PROT_X
