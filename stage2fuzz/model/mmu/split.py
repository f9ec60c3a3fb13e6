"""Eager splitting, from v6.5 on: when a slot's log is switched on, its blocks become pages at once.

It is best effort: where pages run out, the rest of the slot is left to its faults.
"""

from typing import Final

from stage2fuzz.arch import GRANULES
from stage2fuzz.events import LOCK_MMU
from stage2fuzz.model.machine.memcache import kvm_mmu_topup_memory_cache
from stage2fuzz.model.machine.slots import MemorySlot
from stage2fuzz.model.machine.vm import SPLIT_CACHE
from stage2fuzz.model.mmu.kvm import Kvm, kvm_mmu_lock, kvm_mmu_unlock

CHUNK: Final = GRANULES[2]
"""KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE: what is split before the lock may be dropped."""
CHUNK_TABLES: Final = 2
"""kvm_mmu_split_nr_page_tables: pages that the split of one chunk may need."""
MAX_PAGES: Final = 1024
"""Larger slots are not split eagerly, since a run would walk them chunk by chunk."""


def splits_eagerly(vm: Kvm) -> bool:
    """A choice of the VMM; here it comes with 48 IPA bits, where all slots are small enough."""
    slots = vm.scenario.slots
    return vm.options.ipa_bits == 48 and all(slot.pages <= MAX_PAGES for slot in slots)


def kvm_mmu_split_memory_region(vm: Kvm, slot: MemorySlot) -> None:
    """Split the slot's blocks; where nobody asked for it (a chunk size of 0) only lock."""
    kvm_mmu_lock(vm)
    if splits_eagerly(vm):
        kvm_mmu_split_huge_pages(vm, slot.start, slot.end)
    kvm_mmu_unlock(vm)


def kvm_mmu_split_huge_pages(vm: Kvm, start: int, end: int) -> None:
    """Chunk by chunk; to fill the cache, or for somebody who waits, mmu_lock is dropped."""
    while start < end:
        if vm.contended(LOCK_MMU) or vm.caches[SPLIT_CACHE] < CHUNK_TABLES:
            kvm_mmu_unlock(vm)
            ret = kvm_mmu_topup_memory_cache(vm, SPLIT_CACHE, CHUNK_TABLES, CHUNK_TABLES)
            kvm_mmu_lock(vm)
            if ret:
                return
        following = min(end, (start & -CHUNK) + CHUNK)
        if vm.pgtable.kvm_pgtable_stage2_split(vm, start, following - start):
            return
        start = following
