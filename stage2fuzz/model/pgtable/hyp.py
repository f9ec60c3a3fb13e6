"""kvm_pgtable_hyp_map: hyp stage 1, which patch 1 decouples from guest stage 2.

A valid entry is never rewritten with a different one: the identical mapping is fine, another is
refused with a warning (in later kernels an error too). Both writers must keep that.
"""

from typing import Final

from stage2fuzz.arch import (
    ENTRIES,
    ENTRY_SIZE,
    LAST_LEVEL,
    PAGE_SIZE,
    PTE_ADDRESS,
    PTE_VALID,
    SHIFTS,
)
from stage2fuzz.events import (
    CALL,
    CALL_HYP_MAP,
    CALL_PROT_SHIFT,
    DSB_ISHST,
    EINVAL,
    ENOMEM,
    ORDER_RELEASE,
    RETURN,
    WARN,
    WARN_HYP_REMAP,
)
from stage2fuzz.model.machine.memcache import get_zeroed_page
from stage2fuzz.model.machine.vm import HYP_ROOT, Vm
from stage2fuzz.model.pgtable.leaf import (
    kvm_init_valid_leaf_pte,
    kvm_set_table_pte,
    kvm_set_valid_leaf_pte,
    stage2_set_prot_attr,
)

LEVELS: Final = (1, 2)
"""Table levels above the leaf; hyp stage 1 starts at level 1 here."""


def kvm_pgtable_hyp_map(vm: Vm, addr: int, phys: int, prot: int) -> int:
    """Map one page of hyp stage 1: 0, -ENOMEM, or for a remap in later kernels -EINVAL."""
    vm.record((CALL, vm.current, addr, PAGE_SIZE, phys, CALL_HYP_MAP | prot << CALL_PROT_SHIFT))
    table = HYP_ROOT
    for level in LEVELS:
        ptep = table + ((addr >> SHIFTS[level]) & (ENTRIES - 1)) * ENTRY_SIZE
        pte = vm.load(ptep)
        if not pte & PTE_VALID:
            child = get_zeroed_page(vm)
            if not child:
                return _returned(vm, addr, -ENOMEM)
            kvm_set_table_pte(vm, ptep, child)
            pte = vm.load(ptep)
        table = pte & PTE_ADDRESS
    ptep = table + ((addr >> SHIFTS[LAST_LEVEL]) & (ENTRIES - 1)) * ENTRY_SIZE
    return _returned(vm, addr, hyp_map_walker_try_leaf(vm, ptep, phys, prot))


def _returned(vm: Vm, addr: int, ret: int) -> int:
    """What ends every hyp map."""
    vm.dsb(DSB_ISHST)
    vm.record((RETURN, vm.current, addr, PAGE_SIZE, ret, CALL_HYP_MAP))
    return ret


def hyp_map_walker_try_leaf(vm: Vm, ptep: int, phys: int, prot: int) -> int:
    """Install the leaf over an invalid entry; warn instead of remapping."""
    attr = stage2_set_prot_attr(prot)
    old = vm.load(ptep)
    if not vm.flags.decoupled_writers:
        written = kvm_set_valid_leaf_pte(vm, ptep, old, phys, attr, LAST_LEVEL)
    else:
        new = kvm_init_valid_leaf_pte(phys, attr, LAST_LEVEL)
        written = not old & PTE_VALID or old == new
        if not old & PTE_VALID:
            vm.store(ptep, new, ORDER_RELEASE)
    if not written:
        vm.record((WARN, vm.current, 0, 0, 0, WARN_HYP_REMAP))
        if vm.flags.refuses_hyp_remap:
            # The leaf writer warns, and so does its caller, who has no level left to descend to.
            vm.record((WARN, vm.current, 0, 0, 0, WARN_HYP_REMAP))
            return -EINVAL
    return 0
