"""A valid leaf that differs in permissions only: what v5.10 and the series' other versions do.

The series' patch 2 as merged writes nothing there, which ``mapping`` has; what came before is here.
"""

from stage2fuzz.arch import PTE_VALID, PTE_XN
from stage2fuzz.events import ORDER_RELEASE
from stage2fuzz.model.flags import PermissionOnly
from stage2fuzz.model.machine.tlb import kvm_tlb_flush_vmid_ipa
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable.leaf import (
    kvm_init_valid_leaf_pte,
    kvm_set_invalid_pte,
    kvm_set_valid_leaf_pte,
)


def rewrite_leaf(vm: Vm, ptep: int, old: int, addr: int, phys: int, attr: int, level: int) -> None:
    """v5.10: any difference is a break-before-make, even one that takes permission away."""
    if old & PTE_VALID:
        vm.put_page(ptep)
    if not set_valid_leaf(vm, ptep, old, phys, attr, level):
        kvm_set_invalid_pte(vm, ptep, old)
        kvm_tlb_flush_vmid_ipa(vm, addr, level)
        set_valid_leaf(vm, ptep, vm.load(ptep), phys, attr, level)
    vm.get_page(ptep)


def set_valid_leaf(vm: Vm, ptep: int, old: int, phys: int, attr: int, level: int) -> bool:
    """Write the leaf over an invalid entry; False if another valid one is there.

    Patch 1 moves this out of the helper shared with hyp stage 1; what it does is the same.
    """
    if not vm.flags.decoupled_writers:
        return kvm_set_valid_leaf_pte(vm, ptep, old, phys, attr, level)
    new = kvm_init_valid_leaf_pte(phys, attr, level)
    if old & PTE_VALID:
        return old == new
    vm.store(ptep, new, ORDER_RELEASE)
    return True


def update_in_place(vm: Vm, ptep: int, old: int, new: int, addr: int, level: int) -> None:
    """series-v1 compares attribute words as numbers, series-v4 takes the union; neither breaks."""
    if vm.flags.permission_only is PermissionOnly.GREATER:
        changed = (new ^ PTE_XN) > (old ^ PTE_XN)
    else:
        new = ((new ^ PTE_XN) | (old ^ PTE_XN)) ^ PTE_XN
        changed = new != old
    if changed:
        vm.store(ptep, new)
        kvm_tlb_flush_vmid_ipa(vm, addr, level)
