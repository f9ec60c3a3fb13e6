"""struct kvm with what its kernel brings: a page-table package and a fault handler."""

from typing import Protocol

from stage2fuzz.events import LOCK_MMU
from stage2fuzz.model.flags import Flags
from stage2fuzz.model.kvm_pgtable import Pgtable
from stage2fuzz.model.machine.slots import MemorySlot
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.mmu.fault_desc import FaultDesc


class Kvm(Vm):
    """A virtual machine and the kernel that runs it."""

    __slots__ = ("mmu", "pgtable")

    def __init__(self, pgtable: Pgtable, mmu: "Mmu", flags: Flags) -> None:
        super().__init__(flags)
        self.pgtable = pgtable
        self.mmu = mmu


class Mmu(Protocol):
    """What ``kvm_handle_guest_abort`` calls: one implementation for v5.10, one from v5.15 on."""

    def user_mem_abort(self, vm: Kvm, slot: MemorySlot, fault: FaultDesc, /) -> int:
        """Map or relax one page or block: 1 re-enters the guest, 0 or an errno exits."""

    def handle_access_fault(self, vm: Kvm, ipa: int, /) -> None:
        """Set the access flag of the leaf that maps ``ipa``, if it is still there."""


def kvm_mmu_lock(vm: Vm) -> None:
    """KVM_MMU_LOCK: take mmu_lock alone (a spinlock, from v5.15 the write side of a rwlock)."""
    vm.lock(LOCK_MMU)


def kvm_mmu_unlock(vm: Vm) -> None:
    """KVM_MMU_UNLOCK: drop what ``kvm_mmu_lock`` took."""
    vm.unlock(LOCK_MMU)
