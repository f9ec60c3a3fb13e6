"""kvm_handle_guest_abort and user_mem_abort: one guest fault, in the kernel's order.

The order is the point: what is read before the lock is stale inside it unless it is checked there
(mmu_notifier_seq), and what is marked before the handler succeeded may be wrong (patch 3).
"""

from stage2fuzz.arch import ACCESS_FLAG, EXECUTE, PAGE_SIZE, PERMISSION, WRITE
from stage2fuzz.case.scenario import Backing, Host
from stage2fuzz.events import (
    BACKING,
    EAGAIN,
    EFAULT,
    ENOEXEC,
    ENOMEM,
    HOST_POISON,
    HOST_WRITE,
    LOCK_MMAP,
    LOCK_MMU,
    MARK_DIRTY,
    PFN_DIRTY,
    PIN,
    RETRY,
    SEQ_READ,
    SLOT_READONLY,
    TOPUP,
    UNPIN,
)
from stage2fuzz.model.machine.maintenance import (
    clean_dcache_guest_page,
    invalidate_icache_guest_page,
)
from stage2fuzz.model.machine.vm import HostPageState, MemorySlot, Vm
from stage2fuzz.model.pgtable.attributes import (
    kvm_pgtable_stage2_mkyoung,
    kvm_pgtable_stage2_relax_perms,
)
from stage2fuzz.model.pgtable.leaf import PROT_DEVICE, PROT_R, PROT_W, PROT_X
from stage2fuzz.model.pgtable.mapping import kvm_pgtable_stage2_map
from stage2fuzz.model.pgtable.walk import GRANULES

RESUME_GUEST = 1
EXIT_TO_USER = 0
CACHE_CAPACITY = 40
"""KVM_NR_MEM_OBJS: what a top-up fills the memory cache to, unless the case says less."""


class Fault:
    """What the syndrome says about one guest abort."""

    __slots__ = ("ipa", "kind", "level", "status")

    def __init__(self, ipa: int, kind: int, status: int, level: int) -> None:
        """``kind`` is READ, WRITE or EXECUTE; ``status`` TRANSLATION, PERMISSION, ACCESS_FLAG."""
        self.ipa, self.kind, self.status, self.level = ipa, kind, status, level


def kvm_handle_guest_abort(vm: Vm, fault: Fault) -> int:
    """Handle one fault: 1 re-enters the guest, 0 exits for MMIO, a negative errno exits so."""
    me = vm.current
    vm.readers[me] = vm.slots_epoch
    slot = vm.slot_of(fault.ipa)
    if slot is None or (fault.kind == WRITE and slot.flags & SLOT_READONLY):
        ret = -ENOEXEC if fault.kind == EXECUTE else EXIT_TO_USER
    elif fault.status == ACCESS_FLAG:
        vm.era.handle_access_fault(vm, fault.ipa)
        ret = RESUME_GUEST
    else:
        ret = vm.era.user_mem_abort(vm, slot, fault)
    vm.readers[me] = -1
    return ret


def handle_access_fault(vm: Vm, ipa: int) -> None:
    """Set the access flag of the leaf, if it is still there."""
    vm.lock(LOCK_MMU)
    kvm_pgtable_stage2_mkyoung(vm, ipa)
    vm.unlock(LOCK_MMU)


class Mapping:
    """What user_mem_abort is about to install: filled before the lock, adjusted under it."""

    __slots__ = ("address", "device", "gfn_ipa", "huge", "ipa", "size", "writable")

    def __init__(self, ipa: int, address: int, size: int, writable: bool, device: bool) -> None:
        self.ipa, self.address, self.size = ipa, address, size
        self.writable, self.device = writable, device
        self.gfn_ipa = ipa
        """The page that is marked dirty; a transparent huge page does not move it."""
        self.huge = False
        """A transparent huge page may turn this page into a block."""


def user_mem_abort(vm: Vm, slot: MemorySlot, fault: Fault) -> int:
    """Map or relax one page or block for a fault; see ``kvm_handle_guest_abort`` for the result."""
    logging, planted = slot.logging, vm.planted
    if fault.status == PERMISSION and fault.kind not in (WRITE, EXECUTE):
        return -EFAULT
    vm.lock(LOCK_MMAP, 1)
    page = vm.host_page(slot, fault.ipa)
    device = slot.backing is Backing.DEVICE
    force_pte = (logging and not planted.block_while_logging) or device
    size = PAGE_SIZE if force_pte else vma_pagesize(vm, slot, fault.ipa)
    absent = page.host is Host.ABSENT
    vm.unlock(LOCK_MMAP, 1)
    if absent:
        return -EFAULT
    ipa = fault.ipa & -size
    may_link = fault.status != PERMISSION or (logging and fault.kind == WRITE)
    if may_link and not topup_for_fault(vm):
        return -ENOMEM
    if not planted.sequence_after_lookup:
        sequence = read_sequence(vm)
    flags, address = pin(vm, slot, page, ipa, fault.kind == WRITE)
    if flags < 0:
        return flags
    if flags & HOST_POISON:
        return EXIT_TO_USER
    if planted.sequence_after_lookup:
        sequence = read_sequence(vm)
    if device and fault.kind == EXECUTE and not planted.executable_device:
        return -ENOEXEC
    readonly = slot.flags & SLOT_READONLY and not planted.writable_in_readonly_slot
    writable = flags & HOST_WRITE and not readonly and (fault.kind == WRITE or not logging)
    mapping = Mapping(ipa, address, size, bool(writable), device)
    mapping.huge = slot.backing is Backing.PMD and size == PAGE_SIZE and not force_pte
    ret = map_or_relax(vm, slot, fault, mapping, sequence)
    if not device and not planted.page_not_released:
        vm.point(UNPIN, ipa)
        vm.record((UNPIN, vm.current, ipa, 0, address, 0))
    if ret == 0:
        return RESUME_GUEST
    if ret == -EAGAIN and vm.revision.dirty_after_success and not planted.refused_map_exits:
        return RESUME_GUEST
    return ret


def map_or_relax(vm: Vm, slot: MemorySlot, fault: Fault, mapping: Mapping, sequence: int) -> int:
    """The part of user_mem_abort under mmu_lock; 0, or what map or relax returned."""
    planted = vm.planted
    if not planted.fault_without_lock:
        vm.lock(LOCK_MMU)
    ret = 0
    retry = bool(vm.notifier_count) or vm.notifier_seq != sequence
    vm.record((RETRY, vm.current, 0, sequence, int(retry), 0))
    if not retry or planted.no_retry:
        if mapping.huge:
            transparent_hugepage_adjust(vm, slot, mapping)
        early = not vm.revision.dirty_after_success or planted.mark_before_success
        if mapping.writable and early:
            mark_dirty(vm, mapping)
        ret = install(vm, fault, mapping)
        if mapping.writable and not early and ret == 0:
            mark_dirty(vm, mapping)
    if not planted.fault_without_lock:
        vm.unlock(LOCK_MMU)
    return ret


def install(vm: Vm, fault: Fault, mapping: Mapping) -> int:
    """Cache maintenance, then relax or map: 0, or what they returned."""
    ipa, address, size, device = mapping.ipa, mapping.address, mapping.size, mapping.device
    prot = PROT_R | (PROT_W if mapping.writable else 0) | (PROT_DEVICE if device else 0)
    if fault.status != PERMISSION and not device:
        clean_dcache_guest_page(vm, address, size)
    if fault.kind == EXECUTE:
        prot |= PROT_X
        invalidate_icache_guest_page(vm, address, size)
    elif vm.options.dic and not device:
        prot |= PROT_X
    same_size = size == GRANULES[fault.level] or vm.planted.relax_at_the_wrong_level
    if fault.status == PERMISSION and same_size:
        return kvm_pgtable_stage2_relax_perms(vm, ipa, size, prot)
    return kvm_pgtable_stage2_map(vm, ipa, size, address, prot, vm.current)


def vma_pagesize(vm: Vm, slot: MemorySlot, ipa: int) -> int:
    """The mapping size of hugetlbfs memory, demoted where the slot does not allow it."""
    if slot.backing is Backing.PUD:
        for backing in (Backing.PUD, Backing.PMD):
            size = backing.pages * PAGE_SIZE
            if fault_supports_stage2_huge_mapping(vm, slot, ipa, size):
                return size
    return PAGE_SIZE


def fault_supports_stage2_huge_mapping(vm: Vm, slot: MemorySlot, ipa: int, size: int) -> bool:
    """Whether guest and host addresses are congruent and the slot covers the whole block."""
    start = ipa & -size
    inside = slot.start <= start and start + size <= slot.end
    return not slot.skewed and (inside or vm.planted.block_beyond_the_slot)


def transparent_hugepage_adjust(vm: Vm, slot: MemorySlot, mapping: Mapping) -> None:
    """A page of a transparent huge page becomes its 2 MiB block; the dirty page stays the one."""
    size = Backing.PMD.pages * PAGE_SIZE
    if fault_supports_stage2_huge_mapping(vm, slot, mapping.ipa, size):
        mapping.ipa &= -size
        mapping.address &= -size
        mapping.size = size


def topup_for_fault(vm: Vm) -> bool:
    """Fill the thread's cache before the lock; False is -ENOMEM."""
    if vm.planted.no_topup:
        return True
    return topup(vm, vm.current, 3 - vm.start_level, CACHE_CAPACITY)


def topup(vm: Vm, cache: int, wanted: int, capacity: int) -> bool:
    """kvm_mmu_topup_memory_cache of ``vm.caches[cache]``; False is -ENOMEM."""
    if vm.caches[cache] >= wanted:
        return True
    vm.topups += 1
    vm.point(TOPUP, 0)
    failed = vm.topups == vm.options.failing_topup
    vm.record((TOPUP, vm.current, 0, wanted, -ENOMEM if failed else 0, 0))
    if not failed:
        vm.caches[cache] = min(vm.options.cache_pages or capacity, capacity)
    return not failed


def read_sequence(vm: Vm) -> int:
    """mmu_notifier_seq, before the host page is looked up; a read barrier follows."""
    vm.point(SEQ_READ, 0)
    vm.record((SEQ_READ, vm.current, 0, 0, vm.notifier_seq, 0))
    return vm.notifier_seq


def pin(vm: Vm, slot: MemorySlot, page: HostPageState, ipa: int, write: bool) -> tuple[int, int]:
    """gfn_to_pfn_prot: (HOST_* flags or a negative errno, host address of ``ipa``)."""
    vm.point(PIN, ipa)
    if page.host is Host.ABSENT or (write and page.host is Host.R):
        return -EFAULT, 0
    unit = slot.unit(ipa)
    if write and page.host is Host.LAZY:
        page.host = Host.RW
        size = slot.backing.pages * PAGE_SIZE
        flags = vm.host_flags(slot, page)
        vm.record((BACKING, vm.current, unit, size, page.address, flags))
    flags = vm.host_flags(slot, page)
    address = page.address + (ipa - unit)
    asked = HOST_WRITE if write else 0
    vm.record((PIN, vm.current, ipa, asked, address, flags))
    return flags, address


def mark_dirty(vm: Vm, mapping: Mapping) -> None:
    """kvm_set_pfn_dirty and mark_page_dirty, which looks the slot up again."""
    if vm.planted.no_dirty_mark:
        return
    mark_page_dirty_in_slot(vm, vm.slot_of(mapping.gfn_ipa), mapping)


def mark_page_dirty_in_slot(vm: Vm, slot: MemorySlot | None, mapping: Mapping) -> None:
    """kvm_set_pfn_dirty, then the bit, if ``slot`` logs."""
    ipa = mapping.gfn_ipa
    vm.record((PFN_DIRTY, vm.current, ipa, 0, mapping.address, 0))
    if slot is not None and slot.logging:
        vm.point(MARK_DIRTY, ipa)
        slot.dirty[ipa] = True
        vm.record((MARK_DIRTY, vm.current, ipa, 0, 0, 0))
