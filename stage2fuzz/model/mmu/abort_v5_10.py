"""user_mem_abort of v5.10, up to v5.12 and the versions of the series.

The order is the point: what is read before the lock is stale inside it unless it is checked there
(mmu_notifier_seq), and what is marked before the handler succeeded may be wrong (patch 3).
"""

from stage2fuzz.arch import GRANULES, PAGE_SIZE, PERMISSION
from stage2fuzz.case.scenario import Backing, Host
from stage2fuzz.events import (
    EAGAIN,
    EFAULT,
    ENOMEM,
    LOCK_MMAP,
    PROT_W,
)
from stage2fuzz.model.machine.maintenance import (
    clean_dcache_guest_page,
    invalidate_icache_guest_page,
)
from stage2fuzz.model.machine.slots import MemorySlot
from stage2fuzz.model.mmu.fault import (
    kvm_fault_lock,
    kvm_fault_unlock,
    kvm_release_pfn_clean,
    kvm_s2_fault_compute_prot,
    kvm_s2_fault_pin_pfn,
    kvm_s2_resolve_vma_size,
    kvm_set_pfn_dirty,
    mark_page_dirty,
    mmu_notifier_retry,
    read_mmu_seq,
    topup_mmu_memcache,
    transparent_hugepage_adjust,
)
from stage2fuzz.model.mmu.fault_desc import RESUME_GUEST, FaultDesc, VmaInfo
from stage2fuzz.model.mmu.kvm import Kvm, kvm_mmu_lock, kvm_mmu_unlock


def user_mem_abort(vm: Kvm, slot: MemorySlot, fault: FaultDesc) -> int:
    """Map or relax one page or block for a fault; see ``kvm_handle_guest_abort`` for the result."""
    permission, write = fault.status == PERMISSION, fault.write
    if permission and not write and not fault.execute:
        return -EFAULT
    info = VmaInfo()
    if kvm_s2_fault_get_vma_info(vm, slot, fault, info):
        return -EFAULT
    may_link = not permission or (slot.logging and write)
    if may_link and topup_mmu_memcache(vm):
        return -ENOMEM
    info.mmu_seq = read_mmu_seq(vm)
    ret = kvm_s2_fault_pin_pfn(vm, slot, fault, info)
    if ret != 1:
        return ret
    prot = kvm_s2_fault_compute_prot(vm, slot, fault, info)
    if prot < 0:
        return prot
    ret = kvm_s2_fault_map(vm, slot, fault, info, prot)
    kvm_release_pfn_clean(vm, slot, info)
    if ret == -EAGAIN and vm.flags.refused_map_resumes:
        ret = 0
    return ret or RESUME_GUEST


def kvm_s2_fault_get_vma_info(vm: Kvm, slot: MemorySlot, fault: FaultDesc, info: VmaInfo) -> int:
    """The size of the host's mapping, under the mmap lock: 0, or -EFAULT where there is none."""
    vm.lock(LOCK_MMAP, 1)
    page = vm.host_page(slot, slot.original(fault.ipa))
    info.size, info.force_pte = kvm_s2_resolve_vma_size(vm, slot, fault.ipa, slot.logging)
    absent = page.host is Host.ABSENT
    vm.unlock(LOCK_MMAP, 1)
    return -EFAULT if absent else 0


def kvm_s2_fault_map(vm: Kvm, slot: MemorySlot, fault: FaultDesc, info: VmaInfo, prot: int) -> int:
    """What happens under mmu_lock: 0, or what relax or map returned."""
    ipa, address, size = info.ipa, info.address, info.size
    writable, late = prot & PROT_W, vm.flags.dirty_after_success
    ret = 0
    kvm_fault_lock(vm)
    if not mmu_notifier_retry(vm, info.mmu_seq):
        if size == PAGE_SIZE and not info.force_pte:
            size, ipa, address = transparent_hugepage_adjust(vm, slot, ipa, address)
        if writable and not late:
            kvm_set_pfn_dirty(vm, info.ipa, address)
            mark_page_dirty(vm, info.ipa)
        if fault.status != PERMISSION and slot.backing is not Backing.DEVICE:
            clean_dcache_guest_page(vm, address, size)
        if fault.execute:
            invalidate_icache_guest_page(vm, address, size)
        ret = relax_or_map(vm, fault, ipa, address, size, prot)
        if writable and late and not ret:
            kvm_set_pfn_dirty(vm, info.ipa, address)
            mark_page_dirty(vm, info.ipa)
    kvm_fault_unlock(vm)
    return ret


def relax_or_map(vm: Kvm, fault: FaultDesc, ipa: int, address: int, size: int, prot: int) -> int:
    """A permission fault of the same size relaxes what is there, anything else maps."""
    if fault.status == PERMISSION and size == GRANULES[fault.level]:
        return vm.pgtable.kvm_pgtable_stage2_relax_perms(vm, ipa, size, prot)
    return vm.pgtable.kvm_pgtable_stage2_map(vm, ipa, size, address, prot, vm.current)


def handle_access_fault(vm: Kvm, ipa: int) -> None:
    """Set the access flag of the leaf, if it is still there."""
    kvm_mmu_lock(vm)
    vm.pgtable.kvm_pgtable_stage2_mkyoung(vm, ipa)
    kvm_mmu_unlock(vm)
