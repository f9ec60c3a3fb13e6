"""kvm_pgtable_stage2_unmap and _destroy: taking leaves and tables away."""

from stage2fuzz.arch import PTE_ADDRESS, PTE_VALID, is_table
from stage2fuzz.events import CALL, CALL_DESTROY, CALL_UNMAP, RETURN
from stage2fuzz.model.kvm_pgtable import LEAF, TABLE_POST
from stage2fuzz.model.machine.maintenance import clean_dcache_of_leaf
from stage2fuzz.model.machine.tlb import NO_HINT
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable.leaf import release_table, stage2_put_pte
from stage2fuzz.model.pgtable.walk import Walk, kvm_pgtable_walk


def kvm_pgtable_stage2_unmap(vm: Vm, addr: int, size: int) -> int:
    """Remove every leaf that the range touches (a block goes whole) and every table left empty."""
    vm.record((CALL, vm.current, addr, size, 0, CALL_UNMAP))
    walk = Walk(stage2_unmap_walker, addr, size, LEAF | TABLE_POST, sparse=True)
    ret = kvm_pgtable_walk(vm, walk)
    vm.record((RETURN, vm.current, addr, size, ret, CALL_UNMAP))
    return ret


def stage2_unmap_walker(vm: Vm, walk: Walk, ptep: int, level: int, flag: int) -> int:
    """Invalid, flushed, one reference less, then the data cache, then the empty child."""
    pte = vm.load(ptep) if flag == TABLE_POST else walk.loaded
    if not pte & PTE_VALID:
        return 0
    child = 0
    if is_table(pte, level):
        child = pte & PTE_ADDRESS
        if vm.page_count(child) != 1:
            return 0
    hinted = not child or not vm.flags.unhinted_tables
    stage2_put_pte(vm, ptep, pte, walk.addr, level if hinted else NO_HINT)
    if child:
        release_table(vm, child)
    else:
        clean_dcache_of_leaf(vm, pte, level)
    return 0


def kvm_pgtable_stage2_destroy(vm: Vm) -> None:
    """Free every table page, without a lock and without a flush: no vCPU runs any more."""
    vm.record((CALL, vm.current, 0, 0, 0, CALL_DESTROY))
    walk = Walk(stage2_free_walker, 0, 1 << vm.options.ipa_bits, LEAF | TABLE_POST, sparse=True)
    walk.detached = True
    kvm_pgtable_walk(vm, walk)
    vm.record((RETURN, vm.current, 0, 0, 0, CALL_DESTROY))


def stage2_free_walker(vm: Vm, walk: Walk, ptep: int, level: int, flag: int) -> int:
    """Drop what the entry counts, and the child page."""
    pte = vm.load(ptep) if flag == TABLE_POST else walk.loaded
    if not pte & PTE_VALID:
        return 0
    vm.put_page(ptep)
    if is_table(pte, level):
        release_table(vm, pte & PTE_ADDRESS)
    return 0
