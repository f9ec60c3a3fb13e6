"""kvm_pgtable_stage2_flush from v6.2 on, under the write lock as before."""

from stage2fuzz.arch import PTE_VALID
from stage2fuzz.events import CALL, CALL_FLUSH, RETURN
from stage2fuzz.model.kvm_pgtable import LEAF
from stage2fuzz.model.machine.maintenance import clean_dcache_of_leaf
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable_shared.walk import SharedWalk, Visit, kvm_pgtable_walk


def kvm_pgtable_stage2_flush(vm: Vm, addr: int, size: int) -> int:
    """Clean what the range maps, for a guest whose caches are off or on from now on."""
    vm.record((CALL, vm.current, addr, size, 0, CALL_FLUSH))
    ret = kvm_pgtable_walk(vm, SharedWalk(stage2_flush_walker, addr, size, LEAF))
    vm.record((RETURN, vm.current, addr, size, ret, CALL_FLUSH))
    return ret


def stage2_flush_walker(vm: Vm, _walk: SharedWalk, visit: Visit, _flag: int) -> int:
    """What a leaf maps, whole."""
    if visit.old & PTE_VALID:
        clean_dcache_of_leaf(vm, visit.old, visit.level)
    return 0
