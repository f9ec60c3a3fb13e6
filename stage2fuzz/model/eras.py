"""The eras: one exclusive lock (v5.10 to v6.1), and faults that share it (v6.6 to v7.3)."""

from dataclasses import replace
from typing import Final

from stage2fuzz.arch import PAGE_SIZE
from stage2fuzz.events import LOCK_MMU
from stage2fuzz.model.era import Era
from stage2fuzz.model.machine.maintenance import clean_dcache_guest_page
from stage2fuzz.model.machine.tlb import kvm_tlb_flush_vmid_range, tlb_flush_vmid
from stage2fuzz.model.machine.vm import MemorySlot, Vm
from stage2fuzz.model.mmu import abort_v5_10 as abort
from stage2fuzz.model.mmu import abort_v5_15 as later_abort
from stage2fuzz.model.pgtable import attributes, mapping, unmapping
from stage2fuzz.model.pgtable.leaf import PROT_R
from stage2fuzz.model.pgtable_shared import attributes as shared_attributes
from stage2fuzz.model.pgtable_shared import mapping as shared_mapping
from stage2fuzz.model.pgtable_shared import unmapping as shared_unmapping
from stage2fuzz.model.pgtable_shared.split import kvm_mmu_split_memory_region
from stage2fuzz.model.revision import Revision


def era_of(revision: Revision) -> Era:
    """The functions that ``revision`` consists of."""
    if revision.shared_faults:
        return SHARED
    return CLEARED if revision.cleared_entries else EXCLUSIVE


def handle_access_fault(vm: Vm, ipa: int) -> None:
    """Set the access flag of the leaf, if it is still there, beside other faults."""
    vm.lock(LOCK_MMU, 1)
    shared_attributes.kvm_pgtable_stage2_mkyoung(vm, ipa)
    vm.unlock(LOCK_MMU, 1)


def kvm_set_spte(vm: Vm, ipa: int, address: int) -> int:
    """kvm_set_spte_hva: the new page is mapped read-only, without a memory cache."""
    if not vm.revision.cleared_entries:
        clean_dcache_guest_page(vm, address, PAGE_SIZE)
    return mapping.kvm_pgtable_stage2_map(vm, ipa, PAGE_SIZE, address, PROT_R)


def kvm_set_spte_gfn(vm: Vm, ipa: int, address: int) -> int:
    """The same until v6.10, under the write lock and for no fault."""
    if vm.revision.no_change_pte:
        return 0
    return shared_mapping.kvm_pgtable_stage2_map(vm, ipa, PAGE_SIZE, address, PROT_R, -1, 0)


def mkold_of_the_first_leaf(vm: Vm, addr: int, _size: int) -> bool:
    """kvm_age_hva_handler looks at one leaf, however large the host's mapping is."""
    return attributes.kvm_pgtable_stage2_mkold(vm, addr)


def mkold_of_the_range(vm: Vm, addr: int, size: int) -> bool:
    """kvm_age_gfn."""
    return shared_attributes.kvm_pgtable_stage2_test_clear_young(vm, addr, size, mkold=True)


def is_young(vm: Vm, addr: int) -> bool:
    """kvm_test_age_gfn of one page."""
    return shared_attributes.kvm_pgtable_stage2_test_clear_young(vm, addr, PAGE_SIZE, mkold=False)


def no_split(_vm: Vm, _slot: MemorySlot) -> None:
    """Blocks are split by faults only."""


def flush_vm(vm: Vm, _slot: MemorySlot) -> None:
    """kvm_flush_remote_tlbs."""
    tlb_flush_vmid(vm)


def flush_slot(vm: Vm, slot: MemorySlot) -> None:
    """kvm_flush_remote_tlbs_memslot."""
    kvm_tlb_flush_vmid_range(vm, slot.start, slot.end - slot.start)


EXCLUSIVE: Final = Era(
    user_mem_abort=abort.user_mem_abort,
    handle_access_fault=abort.handle_access_fault,
    map=mapping.kvm_pgtable_stage2_map,
    relax=attributes.kvm_pgtable_stage2_relax_perms,
    wrprotect=attributes.kvm_pgtable_stage2_wrprotect,
    unmap=unmapping.kvm_pgtable_stage2_unmap,
    mkold=mkold_of_the_first_leaf,
    is_young=attributes.kvm_pgtable_stage2_is_young,
    set_spte=kvm_set_spte,
    split_slot=no_split,
    flush_slot=flush_vm,
    widest_step=0,
)
CLEARED: Final = replace(EXCLUSIVE, user_mem_abort=later_abort.user_mem_abort, widest_step=1)
SHARED: Final = Era(
    user_mem_abort=later_abort.user_mem_abort,
    handle_access_fault=handle_access_fault,
    map=shared_mapping.kvm_pgtable_stage2_map,
    relax=shared_attributes.kvm_pgtable_stage2_relax_perms,
    wrprotect=shared_attributes.kvm_pgtable_stage2_wrprotect,
    unmap=shared_unmapping.kvm_pgtable_stage2_unmap,
    mkold=mkold_of_the_range,
    is_young=is_young,
    set_spte=kvm_set_spte_gfn,
    split_slot=kvm_mmu_split_memory_region,
    flush_slot=flush_slot,
    widest_step=1,
)
