"""kvm_pgtable_stage2_flush: the data cache of all that is mapped."""

from stage2fuzz.arch import PTE_VALID
from stage2fuzz.events import CALL, CALL_FLUSH, RETURN
from stage2fuzz.model.kvm_pgtable import LEAF
from stage2fuzz.model.machine.maintenance import clean_dcache_of_leaf
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable.walk import Walk, kvm_pgtable_walk


def kvm_pgtable_stage2_flush(vm: Vm, addr: int, size: int) -> int:
    """Clean what the range maps, for a guest whose caches are off or on from now on."""
    vm.record((CALL, vm.current, addr, size, 0, CALL_FLUSH))
    ret = kvm_pgtable_walk(vm, Walk(stage2_flush_walker, addr, size, LEAF, sparse=True))
    vm.record((RETURN, vm.current, addr, size, ret, CALL_FLUSH))
    return ret


def stage2_flush_walker(vm: Vm, walk: Walk, _ptep: int, level: int, _flag: int) -> int:
    """What a leaf maps, whole."""
    if walk.loaded & PTE_VALID:
        clean_dcache_of_leaf(vm, walk.loaded, level)
    return 0
