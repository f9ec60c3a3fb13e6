"""Changing an entry while others may: the locked marker, and compare-and-exchange.

``KVM_INVALID_PTE_LOCKED`` is a try-lock in the entry itself. Hardware sees an invalid entry, other
walkers see that it is taken, and nobody waits: the loser re-enters the guest and faults again.
"""

from stage2fuzz.arch import GRANULES, PTE_LOCKED, PTE_VALID, is_table
from stage2fuzz.events import ORDER_RELEASE, WARN, WARN_OTHER
from stage2fuzz.model.machine.tlb import kvm_tlb_flush_vmid_ipa, kvm_tlb_flush_vmid_range
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable_shared.walk import Visit


def stage2_pte_is_locked(pte: int) -> bool:
    """Whether a walker owns this invalid entry."""
    return not pte & PTE_VALID and bool(pte & PTE_LOCKED)


def stage2_try_set_pte(vm: Vm, visit: Visit, new: int) -> bool:
    """Write the entry if it is still what the visit saw; alone there is no doubt."""
    if visit.shared:
        return vm.compare_exchange(visit.ptep, visit.old, new)
    vm.store(visit.ptep, new)
    return True


def stage2_try_break_pte(vm: Vm, visit: Visit) -> bool:
    """Take the entry, flush what it was, drop its reference; False if another walker was first."""
    old = visit.old
    if stage2_pte_is_locked(old):
        if not visit.shared:
            vm.record((WARN, vm.current, 0, 0, 0, WARN_OTHER))
        return False
    if not stage2_try_set_pte(vm, visit, PTE_LOCKED):
        return False
    if is_table(old, visit.level):
        size = GRANULES[visit.level]
        kvm_tlb_flush_vmid_range(vm, visit.addr & -size, size)
    elif old & PTE_VALID:
        kvm_tlb_flush_vmid_ipa(vm, visit.addr, visit.level)
    if old:
        vm.put_page(visit.ptep)
    return True


def stage2_make_pte(vm: Vm, visit: Visit, new: int) -> None:
    """Give the taken entry its new value: a store-release, after the reference is counted."""
    if not stage2_pte_is_locked(vm.load(visit.ptep)):
        vm.record((WARN, vm.current, 0, 0, 0, WARN_OTHER))
    vm.get_page(visit.ptep)
    vm.store(visit.ptep, new, ORDER_RELEASE)
