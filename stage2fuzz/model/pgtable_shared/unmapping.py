"""kvm_pgtable_stage2_unmap of v6.12, under the write lock, and the end of an unlinked table."""

from stage2fuzz.arch import PTE_ADDRESS, PTE_VALID, is_table
from stage2fuzz.events import CALL, CALL_UNMAP, RETURN, WARN, WARN_REFCOUNT
from stage2fuzz.model.machine.maintenance import clean_dcache_of_leaf
from stage2fuzz.model.machine.tlb import NO_HINT, kvm_tlb_flush_vmid_range, tlb_flush_vmid_ipa
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable.unmapping import stage2_free_walker
from stage2fuzz.model.pgtable.walk import GRANULES, LEAF, TABLE_POST, Walk, walk_table
from stage2fuzz.model.pgtable_shared.walk import SharedWalk, Visit, kvm_pgtable_walk


def kvm_pgtable_stage2_unmap(vm: Vm, addr: int, size: int) -> int:
    """Remove every leaf that the range touches and every table left empty.

    A CPU with FWB has range TLBI too here; it flushes the leaves once, after the walk.
    """
    vm.record((CALL, vm.current, addr, size, 0, CALL_UNMAP))
    walk = SharedWalk(addr, size, stage2_unmap_walker, LEAF | TABLE_POST)
    ret = kvm_pgtable_walk(vm, walk)
    if vm.options.fwb and not vm.planted.unmap_without_tlbi:
        kvm_tlb_flush_vmid_range(vm, addr, size)
    vm.record((RETURN, vm.current, addr, size, ret, CALL_UNMAP))
    return ret


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
    vm.store(ptep, 0)
    if not vm.planted.unmap_without_tlbi:
        if table:
            tlb_flush_vmid_ipa(vm, visit.addr, NO_HINT)
        elif not vm.options.fwb:
            tlb_flush_vmid_ipa(vm, visit.addr, level)
    vm.put_page(ptep)
    if table:
        vm.put_page(old & PTE_ADDRESS)
    else:
        clean_dcache_of_leaf(vm, old, level)
    return 0


def kvm_pgtable_stage2_free_unlinked(vm: Vm, table: int, level: int) -> None:
    """Tear down a table that an entry of ``level`` linked; nobody else can reach it any more."""
    walk = Walk(0, GRANULES[level], stage2_free_walker, LEAF | TABLE_POST, sparse=True)
    walk_table(vm, walk, table, level + 1)
    if vm.page_count(table) != 1:
        vm.record((WARN, vm.current, 0, 0, 0, WARN_REFCOUNT))
    vm.put_page(table)
