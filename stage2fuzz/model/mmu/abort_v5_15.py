"""user_mem_abort from v5.15 on: what was seen at the start decides.

The sequence is read while the mmap lock still holds the mapping's size in place, a permission fault
of a block keeps its size, and the page is marked in the slot that was seen at the start. From v6.2
the fault shares mmu_lock: two faults of one page run side by side and only meet in the entry, and
the page is marked when the lock is gone already.
"""

from stage2fuzz.arch import GRANULES, LAST_LEVEL, PAGE_SIZE, PERMISSION
from stage2fuzz.case.scenario import Host
from stage2fuzz.events import (
    EAGAIN,
    EFAULT,
    ENOMEM,
    LOCK_MMAP,
    PROT_W,
)
from stage2fuzz.model.kvm_pgtable import HANDLE_FAULT, SHARED
from stage2fuzz.model.machine.slots import MemorySlot
from stage2fuzz.model.mmu.fault import (
    kvm_fault_lock,
    kvm_fault_unlock,
    kvm_release_page_unused,
    kvm_release_pfn_clean,
    kvm_s2_fault_compute_prot,
    kvm_s2_fault_pin_pfn,
    kvm_s2_resolve_vma_size,
    kvm_set_pfn_dirty,
    mark_page_dirty_in_slot,
    memslot_is_logging,
    mmu_notifier_retry,
    read_mmu_seq,
    topup_mmu_memcache,
    transparent_hugepage_adjust,
)
from stage2fuzz.model.mmu.fault_desc import RESUME_GUEST, FaultDesc, VmaInfo
from stage2fuzz.model.mmu.kvm import Kvm


def user_mem_abort(vm: Kvm, slot: MemorySlot, fault: FaultDesc) -> int:
    """Map or relax one page or block for a fault; see ``kvm_handle_guest_abort`` for the result."""
    permission, write = fault.status == PERMISSION, fault.write
    if permission and not write and not fault.execute:
        return -EFAULT
    may_link = not permission or (
        memslot_is_logging(vm, slot) and (write or vm.flags.logging_tops_up)
    )
    if may_link and topup_mmu_memcache(vm):
        return -ENOMEM
    info = VmaInfo()
    if kvm_s2_fault_get_vma_info(vm, slot, fault, info):
        return -EFAULT
    ret = kvm_s2_fault_pin_pfn(vm, slot, fault, info)
    if ret != 1:
        return ret
    prot = kvm_s2_fault_compute_prot(vm, slot, fault, info)
    if prot < 0:
        kvm_release_page_unused(vm, slot, info)
        return prot
    ret = kvm_s2_fault_map(vm, slot, fault, info, prot)
    kvm_release_pfn_clean(vm, slot, info)
    return RESUME_GUEST if ret in (0, -EAGAIN) else ret


def kvm_s2_fault_get_vma_info(vm: Kvm, slot: MemorySlot, fault: FaultDesc, info: VmaInfo) -> int:
    """Size and sequence under the mmap lock: 0, or -EFAULT where the host has no mapping."""
    vm.lock(LOCK_MMAP, 1)
    if vm.host_page(slot, slot.original(fault.ipa)).host is Host.ABSENT:
        vm.unlock(LOCK_MMAP, 1)
        return -EFAULT
    info.size, info.force_pte = kvm_s2_resolve_vma_size(
        vm, slot, fault.ipa, memslot_is_logging(vm, slot)
    )
    info.mmu_seq = read_mmu_seq(vm)
    vm.unlock(LOCK_MMAP, 1)
    return 0


def kvm_s2_fault_map(vm: Kvm, slot: MemorySlot, fault: FaultDesc, info: VmaInfo, prot: int) -> int:
    """What happens under mmu_lock, and the dirty mark: 0, or what relax or map returned."""
    ipa, address, size = info.ipa, info.address, info.size
    granule = GRANULES[fault.level] if fault.status == PERMISSION else 0
    shared = lock_mode(vm, slot, fault)
    ret = -EAGAIN
    kvm_fault_lock(vm, shared)
    if not mmu_notifier_retry(vm, info.mmu_seq):
        if size == PAGE_SIZE and not info.force_pte:
            if granule > PAGE_SIZE:
                size = granule
            else:
                size, ipa, address = transparent_hugepage_adjust(vm, slot, ipa, address)
        if size == granule:
            ret = vm.pgtable.kvm_pgtable_stage2_relax_perms(vm, ipa, size, prot)
        else:
            flags = HANDLE_FAULT | SHARED if vm.flags.shared_faults else 0
            ret = vm.pgtable.kvm_pgtable_stage2_map(vm, ipa, size, address, prot, vm.current, flags)
    marks = prot & PROT_W and not ret
    early = not vm.flags.shared_faults or vm.flags.marks_host_page_under_lock
    if marks and early:
        kvm_set_pfn_dirty(vm, info.ipa, address)
    if marks and not vm.flags.shared_faults:
        mark_page_dirty_in_slot(vm, slot, info.ipa)
    kvm_fault_unlock(vm, shared)
    if marks and not early:
        kvm_set_pfn_dirty(vm, info.ipa, address)
    if marks and vm.flags.shared_faults:
        mark_page_dirty_in_slot(vm, slot, info.ipa)
    return ret


def lock_mode(vm: Kvm, slot: MemorySlot, fault: FaultDesc) -> int:
    """1 where the fault shares mmu_lock: each does, or in v6.1 one that only gives a page back."""
    if vm.flags.shared_faults:
        return 1
    of_a_page = fault.status == PERMISSION and fault.level == LAST_LEVEL
    logged_write = memslot_is_logging(vm, slot) and fault.write
    return int(vm.flags.relaxes_under_read_lock and logged_write and of_a_page)


def handle_access_fault(vm: Kvm, ipa: int) -> None:
    """Set the access flag of the leaf, if it is still there; from v6.2 beside other faults."""
    shared = int(vm.flags.shared_faults)
    kvm_fault_lock(vm, shared)
    vm.pgtable.kvm_pgtable_stage2_mkyoung(vm, ipa)
    kvm_fault_unlock(vm, shared)
