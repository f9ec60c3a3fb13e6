"""user_mem_abort from v5.15 on: what was seen at the start decides.

The sequence is read while the mmap lock still holds the mapping's size in place, a permission fault
of a block keeps its size, and the page is marked in the slot that was seen at the start. In v6.12
the fault shares mmu_lock: two faults of one page run side by side and only meet in the entry, and
the page is marked when the lock is gone already.
"""

from stage2fuzz.arch import EXECUTE, LAST_LEVEL, PAGE_SIZE, PERMISSION, WRITE
from stage2fuzz.case.scenario import Backing, Host
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
from stage2fuzz.model.machine.vm import MemorySlot, Vm
from stage2fuzz.model.mmu.abort_v5_10 import (
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
from stage2fuzz.model.pgtable.leaf import PROT_DEVICE, PROT_R, PROT_W, PROT_X
from stage2fuzz.model.pgtable.walk import GRANULES


def user_mem_abort(vm: Vm, slot: MemorySlot, fault: Fault) -> int:
    """Map or relax one page or block for a fault; see ``kvm_handle_guest_abort`` for the result."""
    logging, permission = slot.logging, fault.status == PERMISSION
    write = fault.kind == WRITE
    if permission and fault.kind not in (WRITE, EXECUTE):
        return -EFAULT
    may_link = not permission or (logging and (write or vm.revision.logging_tops_up))
    if may_link and not topup_for_fault(vm):
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
    mapping.huge = size == PAGE_SIZE and slot.backing in (Backing.PAGE, Backing.PMD) and not logging
    ret = map_or_relax(vm, slot, fault, mapping, sequence, lock_mode(vm, logging, fault))
    if not device and not vm.planted.page_not_released:
        vm.point(UNPIN, ipa)
        vm.record((UNPIN, vm.current, ipa, 0, address, 0))
    return RESUME_GUEST if ret in (0, -EAGAIN) else ret


def lock_mode(vm: Vm, logging: bool, fault: Fault) -> int:
    """1 where the fault shares mmu_lock: each does, or in v6.1 one that only gives a page back."""
    if vm.revision.shared_faults:
        return 1
    of_a_page = fault.status == PERMISSION and fault.level == LAST_LEVEL
    return int(vm.revision.shared_relax and logging and fault.kind == WRITE and of_a_page)


def map_or_relax(
    vm: Vm, slot: MemorySlot, fault: Fault, mapping: Mapping, sequence: int, shared: int
) -> int:
    """The part of user_mem_abort under mmu_lock; 0, or what map or relax returned."""
    vm.lock(LOCK_MMU, shared)
    ret = -EAGAIN
    retry = bool(vm.notifier_count) or vm.notifier_seq != sequence
    vm.record((RETRY, vm.current, 0, sequence, int(retry), 0))
    if not retry or vm.planted.no_retry:
        if mapping.huge:
            adjust_size(vm, slot, fault, mapping)
        ret = install(vm, fault, mapping)
    marks = mapping.writable and not ret and not vm.planted.no_dirty_mark
    if marks and not vm.revision.shared_faults:
        mark_page_dirty_in_slot(vm, slot, mapping)
    vm.unlock(LOCK_MMU, shared)
    if marks and vm.revision.shared_faults:
        mark_page_dirty_in_slot(vm, slot, mapping)
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
        return vm.era.relax(vm, ipa, size, prot)
    return vm.era.map(vm, ipa, size, mapping.address, prot, vm.current)
