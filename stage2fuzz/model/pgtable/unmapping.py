"""kvm_pgtable_stage2_unmap and _destroy: taking leaves and tables away."""

from stage2fuzz.arch import LAST_LEVEL, PTE_ADDRESS, PTE_VALID
from stage2fuzz.arch import is_table as pte_is_table
from stage2fuzz.events import (
    CALL,
    CALL_DESTROY,
    CALL_UNMAP,
    LOCK_MMU,
    RETURN,
)
from stage2fuzz.model.machine.maintenance import clean_dcache_of_leaf
from stage2fuzz.model.machine.tlb import NO_HINT, tlb_flush_vmid_ipa
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable.leaf import kvm_set_invalid_pte, release_table
from stage2fuzz.model.pgtable.walk import LEAF, TABLE_POST, Walk, kvm_pgtable_walk


def kvm_pgtable_stage2_unmap(vm: Vm, addr: int, size: int) -> int:
    """Remove every leaf that the range touches (a block goes whole) and every table left empty."""
    vm.record((CALL, vm.current, addr, size, 0, CALL_UNMAP))
    if vm.planted.unmap_skips_a_page:
        walk = Walk(addr + 4096, size - 4096, stage2_unmap_walker, LEAF | TABLE_POST, sparse=True)
    else:
        walk = Walk(addr, size, stage2_unmap_walker, LEAF | TABLE_POST, sparse=True)
    ret = kvm_pgtable_walk(vm, walk)
    vm.record((RETURN, vm.current, addr, size, ret, CALL_UNMAP))
    return ret


def stage2_unmap_walker(vm: Vm, walk: Walk, ptep: int, level: int, flag: int) -> int:
    """Invalid, flushed, one reference less, then the data cache, then the empty child."""
    pte = vm.load(ptep) if flag == TABLE_POST else walk.loaded
    if not pte & PTE_VALID:
        return 0
    child = 0
    if pte_is_table(pte, level):
        child = pte & PTE_ADDRESS
        if vm.page_count(child) != 1:
            return 0
    kvm_set_invalid_pte(vm, ptep, pte)
    if not vm.planted.unmap_without_tlbi:
        hinted = not child or not vm.revision.unhinted_tables
        tlb_flush_vmid_ipa(vm, walk.addr, level if hinted else NO_HINT)
    vm.put_page(ptep)
    if child:
        release_table(vm, child)
    else:
        clean_dcache_of_leaf(vm, pte, level)
    return 0


def kvm_free_stage2_pgd(vm: Vm) -> None:
    """Unpublish the tables under the lock, then free them all without it: no vCPU runs any more."""
    vm.lock(LOCK_MMU)
    mapped, vm.mapped = vm.mapped, False
    vm.unlock(LOCK_MMU)
    if not mapped:
        return
    vm.record((CALL, vm.current, 0, 0, 0, CALL_DESTROY))
    size = 1 << vm.options.ipa_bits
    walk = Walk(0, size, stage2_free_walker, LEAF | TABLE_POST, sparse=True)
    walk.detached = True
    kvm_pgtable_walk(vm, walk)
    vm.record((RETURN, vm.current, 0, 0, 0, CALL_DESTROY))


def stage2_free_walker(vm: Vm, walk: Walk, ptep: int, level: int, flag: int) -> int:
    """Drop what the entry counts, and the child page."""
    pte = vm.load(ptep) if flag == TABLE_POST else walk.loaded
    if not pte & PTE_VALID:
        return 0
    vm.put_page(ptep)
    if level < LAST_LEVEL and pte_is_table(pte, level):
        release_table(vm, pte & PTE_ADDRESS)
    return 0
