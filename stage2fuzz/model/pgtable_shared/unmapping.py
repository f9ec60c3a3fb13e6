"""kvm_pgtable_stage2_unmap from v6.2 on, under the write lock; the end of an unlinked table."""

from stage2fuzz.arch import GRANULES, PTE_ADDRESS, PTE_VALID, is_table
from stage2fuzz.events import CALL, CALL_UNMAP, RETURN, WARN, WARN_REFCOUNT
from stage2fuzz.model.kvm_pgtable import LEAF, TABLE_POST
from stage2fuzz.model.machine.maintenance import clean_dcache_of_leaf
from stage2fuzz.model.machine.tlb import NO_HINT, kvm_tlb_flush_vmid_ipa, kvm_tlb_flush_vmid_range
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable.unmapping import stage2_free_walker
from stage2fuzz.model.pgtable.walk import Walk, __kvm_pgtable_walk
from stage2fuzz.model.pgtable_shared.walk import SharedWalk, Visit, kvm_pgtable_walk


def kvm_pgtable_stage2_unmap(vm: Vm, addr: int, size: int) -> int:
    """Remove every leaf that the range touches and every table left empty."""
    vm.record((CALL, vm.current, addr, size, 0, CALL_UNMAP))
    ret = kvm_pgtable_walk(vm, SharedWalk(stage2_unmap_walker, addr, size, LEAF | TABLE_POST))
    if stage2_unmap_defer_tlb_flush(vm):
        kvm_tlb_flush_vmid_range(vm, addr, size)
    vm.record((RETURN, vm.current, addr, size, ret, CALL_UNMAP))
    return ret


def stage2_unmap_defer_tlb_flush(vm: Vm) -> bool:
    """A CPU with FWB has range TLBI too here; it flushes the leaves once, after the walk."""
    return vm.options.fwb


def stage2_unmap_walker(vm: Vm, _walk: SharedWalk, visit: Visit, _flag: int) -> int:
    """Zero, flushed, one reference less, then the data cache, then the empty child."""
    old, ptep, level = visit.old, visit.ptep, visit.level
    if not old & PTE_VALID:
        if old:
            vm.store(ptep, 0)
            vm.put_page(ptep)
        return 0
    table = is_table(old, level)
    if table and vm.page_count(old & PTE_ADDRESS) != 1:
        return 0
    stage2_unmap_put_pte(vm, visit)
    if table:
        vm.put_page(old & PTE_ADDRESS)
    else:
        clean_dcache_of_leaf(vm, old, level)
    return 0


def stage2_unmap_put_pte(vm: Vm, visit: Visit) -> None:
    """Break a valid entry; a leaf may be flushed after the walk, a table is flushed at once."""
    vm.store(visit.ptep, 0)
    if is_table(visit.old, visit.level):
        kvm_tlb_flush_vmid_ipa(vm, visit.addr, NO_HINT)
    elif not stage2_unmap_defer_tlb_flush(vm):
        kvm_tlb_flush_vmid_ipa(vm, visit.addr, visit.level)
    vm.put_page(visit.ptep)


def kvm_pgtable_stage2_free_unlinked(vm: Vm, table: int, level: int) -> None:
    """Tear down a table that an entry of ``level`` linked; nobody else can reach it any more."""
    walk = Walk(stage2_free_walker, 0, GRANULES[level], LEAF | TABLE_POST, sparse=True)
    __kvm_pgtable_walk(vm, walk, table, level + 1)
    if vm.page_count(table) != 1:
        vm.record((WARN, vm.current, 0, 0, 0, WARN_REFCOUNT))
    vm.put_page(table)
