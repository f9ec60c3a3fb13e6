"""user_mem_abort of v6.12: the fault under a shared lock, the dirty bit after it.

Two faults of one page now run side by side and only meet in the entry. The sequence is read while
the mmap lock still holds the mapping's size in place, and the page is marked when mmu_lock is gone
already, through the slot that was seen at the start.
"""

from stage2fuzz.arch import EXECUTE, PAGE_SIZE, PERMISSION, WRITE
from stage2fuzz.engine.abort import (
    EXIT_TO_USER,
    RESUME_GUEST,
    Fault,
    Mapping,
    mark_page_dirty_in_slot,
    pin,
    read_sequence,
    topup_for_fault,
    transparent_hugepage_adjust,
    vma_pagesize,
)
from stage2fuzz.engine.leaf import PROT_DEVICE, PROT_R, PROT_W, PROT_X
from stage2fuzz.engine.shared_attributes import (
    kvm_pgtable_stage2_mkyoung,
    kvm_pgtable_stage2_relax_perms,
)
from stage2fuzz.engine.shared_mapping import kvm_pgtable_stage2_map
from stage2fuzz.engine.vm import MemorySlot, Vm
from stage2fuzz.engine.walk import GRANULES
from stage2fuzz.events import (
    EAGAIN,
    EFAULT,
    ENOEXEC,
    ENOMEM,
    HOST_POISON,
    HOST_WRITE,
    LOCK_MMAP,
    LOCK_MMU,
    RETRY,
    SLOT_READONLY,
    UNPIN,
)
from stage2fuzz.scenario import Backing, Host


def handle_access_fault(vm: Vm, ipa: int) -> None:
    """Set the access flag of the leaf, if it is still there."""
    vm.lock(LOCK_MMU, 1)
    kvm_pgtable_stage2_mkyoung(vm, ipa)
    vm.unlock(LOCK_MMU, 1)


def user_mem_abort(vm: Vm, slot: MemorySlot, fault: Fault) -> int:
    """Map or relax one page or block for a fault; see ``kvm_handle_guest_abort`` for the result."""
    logging, permission = slot.logging, fault.status == PERMISSION
    write = fault.kind == WRITE
    if permission and fault.kind not in (WRITE, EXECUTE):
        return -EFAULT
    if (not permission or (logging and write)) and not topup_for_fault(vm):
        return -ENOMEM
    vm.lock(LOCK_MMAP, 1)
    page = vm.host_page(slot, fault.ipa)
    if page.host is Host.ABSENT:
        vm.unlock(LOCK_MMAP, 1)
        return -EFAULT
    size = PAGE_SIZE if logging else vma_pagesize(vm, slot, fault.ipa)
    sequence = read_sequence(vm)
    vm.unlock(LOCK_MMAP, 1)
    ipa = fault.ipa & -size
    flags, address = pin(vm, slot, page, ipa, write)
    if flags < 0:
        return flags
    if flags & HOST_POISON:
        return EXIT_TO_USER
    device = slot.backing is Backing.DEVICE
    if device and fault.kind == EXECUTE:
        return -ENOEXEC
    writable = flags & HOST_WRITE and not slot.flags & SLOT_READONLY and (write or not logging)
    mapping = Mapping(ipa, address, size, bool(writable), device)
    # hugetlbfs memory that the slot does not allow as a block is mapped by pages for good.
    mapping.huge = size == PAGE_SIZE and not logging and slot.backing is not Backing.PUD
    ret = map_or_relax(vm, slot, fault, mapping, sequence)
    if writable and not ret and not vm.planted.no_dirty_mark:
        mark_page_dirty_in_slot(vm, slot, mapping)
    if not device and not vm.planted.page_not_released:
        vm.point(UNPIN, ipa)
        vm.record((UNPIN, vm.current, ipa, 0, address, 0))
    return RESUME_GUEST if ret in (0, -EAGAIN) else ret


def map_or_relax(vm: Vm, slot: MemorySlot, fault: Fault, mapping: Mapping, sequence: int) -> int:
    """The part of user_mem_abort under the read lock; 0, or what map or relax returned."""
    vm.lock(LOCK_MMU, 1)
    ret = -EAGAIN
    retry = bool(vm.notifier_count) or vm.notifier_seq != sequence
    vm.record((RETRY, vm.current, 0, sequence, int(retry), 0))
    if not retry or vm.planted.no_retry:
        if mapping.huge:
            adjust_size(vm, slot, fault, mapping)
        ret = install(vm, fault, mapping)
    vm.unlock(LOCK_MMU, 1)
    return ret


def adjust_size(vm: Vm, slot: MemorySlot, fault: Fault, mapping: Mapping) -> None:
    """A permission fault of a block keeps its size; else ask whether the page is a huge one."""
    granule = GRANULES[fault.level]
    if fault.status == PERMISSION and granule > PAGE_SIZE:
        mapping.size = granule
    elif slot.backing is Backing.PMD:
        transparent_hugepage_adjust(vm, slot, mapping)


def install(vm: Vm, fault: Fault, mapping: Mapping) -> int:
    """Relax or map; the walkers see to the caches."""
    ipa, size, device = mapping.ipa, mapping.size, mapping.device
    prot = PROT_R | (PROT_W if mapping.writable else 0) | (PROT_DEVICE if device else 0)
    if fault.kind == EXECUTE or (vm.options.dic and not device):
        prot |= PROT_X
    if fault.status == PERMISSION and size == GRANULES[fault.level]:
        return kvm_pgtable_stage2_relax_perms(vm, ipa, size, prot)
    return kvm_pgtable_stage2_map(vm, ipa, size, mapping.address, prot, vm.current)
