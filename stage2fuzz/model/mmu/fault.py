"""kvm_handle_guest_abort, and the steps of user_mem_abort that all eras take alike.

The steps have the names that v7.3 gave them; in which order they come is the era's affair
(``abort_v5_10``, ``abort_v5_15``). What is read before the lock is stale inside it unless it is
checked there (mmu_notifier_seq).
"""

from typing import Final

from stage2fuzz.arch import (
    ACCESS_FLAG,
    BEYOND,
    CACHE_MAINTENANCE,
    EXTERNAL_ABORT,
    FETCH_WALK,
    LAST_LEVEL,
    NO_SYNDROME,
    PAGE_SIZE,
    PERMISSION,
    TABLE_WALK,
    UNSUPPORTED_ACCESS,
    WRITE,
)
from stage2fuzz.case.scenario import Backing, Host
from stage2fuzz.events import (
    EFAULT,
    ENOEXEC,
    ENOSYS,
    HOST_POISON,
    HOST_WRITE,
    INJECTED_DABT,
    INJECTED_SERROR,
    INJECTED_SIZE_FAULT,
    LOCK_MMU,
    MARK_DIRTY,
    PAST_THE_INSTRUCTION,
    PFN_DIRTY,
    PIN,
    PROT_DEVICE,
    PROT_R,
    PROT_W,
    PROT_X,
    RETRY,
    SEQ_READ,
    SLOT_READONLY,
    UNPIN,
)
from stage2fuzz.model.machine.memcache import kvm_mmu_topup_memory_cache
from stage2fuzz.model.machine.slots import MemorySlot
from stage2fuzz.model.mmu.fault_desc import EXIT_TO_USER, RESUME_GUEST, FaultDesc, VmaInfo
from stage2fuzz.model.mmu.kvm import Kvm
from stage2fuzz.model.mmu.notifier import copy_page

IPA_LIMIT: Final = 48
"""kvm_ipa_limit: bits that this CPU's stage 2 could translate."""


def kvm_handle_guest_abort(vm: Kvm, fault: FaultDesc) -> int:
    """Handle one fault: 1 re-enters the guest, 0 exits for MMIO, a negative errno exits so."""
    me = vm.current
    if fault.how & BEYOND and vm.flags.refuses_beyond:
        return refuse_beyond(vm, fault)
    if fault.status == EXTERNAL_ABORT:
        return -INJECTED_SERROR if vm.flags.injects_external_aborts else PAST_THE_INSTRUCTION
    if fault.status == UNSUPPORTED_ACCESS and not vm.flags.injects_unsupported_atomics:
        return -EFAULT
    vm.readers[me] = vm.slots_epoch
    slot = vm.slot_of(fault.ipa)
    fault.write = kvm_is_write_fault(fault)
    if slot is None or (fault.write and slot.flags & SLOT_READONLY):
        ret = abort_without_memory(slot, fault)
    elif fault.status == ACCESS_FLAG:
        vm.mmu.handle_access_fault(vm, fault.ipa)
        ret = RESUME_GUEST
    else:
        ret = vm.mmu.user_mem_abort(vm, slot, fault)
    vm.readers[me] = -1
    return ret


def kvm_is_write_fault(fault: FaultDesc) -> bool:
    """A stage-1 walk writes where it lacks permission: to set a flag in the guest's own tables."""
    if fault.how & TABLE_WALK:
        return fault.status == PERMISSION
    return fault.kind == WRITE


def refuse_beyond(vm: Kvm, fault: FaultDesc) -> int:
    """An access above the guest's IPA space gets an abort: of the size where it is above what any
    guest has, which is what a guest with 48 bits has."""
    if vm.options.ipa_bits == IPA_LIMIT:
        return -INJECTED_SIZE_FAULT
    return -ENOEXEC if fault.execute or fault.how & FETCH_WALK else -INJECTED_DABT


def abort_without_memory(slot: MemorySlot | None, fault: FaultDesc) -> int:
    """No memory serves the access: an abort, a skipped instruction, or MMIO for the VMM."""
    if fault.execute or fault.how & FETCH_WALK:
        return -ENOEXEC
    if fault.how & TABLE_WALK:
        return -INJECTED_DABT
    if slot is None and fault.how & CACHE_MAINTENANCE:
        return PAST_THE_INSTRUCTION
    return -ENOSYS if fault.how & NO_SYNDROME else EXIT_TO_USER


def topup_mmu_memcache(vm: Kvm) -> int:
    """Fill the vCPU's cache with a table page for each level below the root: 0 or -ENOMEM."""
    return kvm_mmu_topup_memory_cache(vm, vm.current, LAST_LEVEL - vm.start_level)


def kvm_s2_resolve_vma_size(vm: Kvm, slot: MemorySlot, ipa: int, logging: bool) -> tuple[int, bool]:
    """(vma_pagesize, force_pte): hugetlbfs memory by blocks, demoted where the slot forbids it."""
    if logging or slot.backing is Backing.DEVICE:
        return PAGE_SIZE, True
    if slot.transparent or (slot.backing is Backing.PAGE and not slot.contiguous):
        return PAGE_SIZE, False
    for backing in (Backing.PUD, Backing.PMD):
        size = backing.pages * PAGE_SIZE
        if backing <= slot.backing and fault_supports_stage2_huge_mapping(slot, ipa, size):
            return size, False
    return PAGE_SIZE, True


def fault_supports_stage2_huge_mapping(slot: MemorySlot, ipa: int, size: int) -> bool:
    """Whether guest and host addresses are congruent and the slot covers the whole block."""
    start = ipa & -size
    congruent = not slot.skewed * PAGE_SIZE % size
    return congruent and slot.start <= start and start + size <= slot.end


def read_mmu_seq(vm: Kvm) -> int:
    """mmu_notifier_seq, before the host page is looked up; a read barrier follows."""
    vm.point(SEQ_READ, 0)
    vm.record((SEQ_READ, vm.current, 0, 0, vm.notifier_seq, 0))
    return vm.notifier_seq


def kvm_s2_fault_pin_pfn(vm: Kvm, slot: MemorySlot, fault: FaultDesc, info: VmaInfo) -> int:
    """Look the host page up: 1 to go on, 0 for a page with a hardware error, or -EFAULT."""
    info.ipa = fault.ipa & -info.size
    flags, info.address = gfn_to_pfn_prot(vm, slot, info.ipa, fault.write)
    if flags < 0:
        return flags
    if flags & HOST_POISON:
        return EXIT_TO_USER
    info.writable = bool(flags & HOST_WRITE)
    return 1


def gfn_to_pfn_prot(vm: Kvm, slot: MemorySlot, ipa: int, write: bool) -> tuple[int, int]:
    """(HOST_* flags or a negative errno, host address of ``ipa``); a read-only slot grants no
    write, whatever the host does."""
    vm.point(PIN, ipa)
    at = slot.original(ipa)
    page = vm.host_page(slot, at)
    if write and page.host is Host.COW:
        copy_page(vm, slot, at)
        page = vm.host_page(slot, at)
    if page.host is Host.ABSENT or (write and page.host is Host.R):
        return -EFAULT, 0
    if write and page.host is Host.LAZY and slot.backing is Backing.DEVICE:
        return -EFAULT, 0
    if write and page.host is Host.LAZY:
        page.host = Host.RW
        vm.announce(slot, page)
    flags = vm.host_flags(slot, page)
    address = page.address + (at - page.unit)
    asked = HOST_WRITE if write else 0
    vm.record((PIN, vm.current, ipa, asked, address, flags))
    return flags & ~HOST_WRITE if slot.flags & SLOT_READONLY else flags, address


def kvm_s2_fault_compute_prot(vm: Kvm, slot: MemorySlot, fault: FaultDesc, info: VmaInfo) -> int:
    """PROT_* of what will be mapped, or -ENOEXEC for an instruction fetch from a device.

    While pages are logged only a write fault gets write permission.
    """
    device = slot.backing is Backing.DEVICE
    execute = fault.execute
    if execute and device:
        return -ENOEXEC
    if fault.status == UNSUPPORTED_ACCESS:
        return -INJECTED_DABT
    prot = PROT_R
    if info.writable and (fault.write or not memslot_is_logging(vm, slot)):
        prot |= PROT_W
    if device:
        prot |= PROT_DEVICE
    if execute or (vm.options.dic and not device):
        prot |= PROT_X
    return prot


def memslot_is_logging(vm: Kvm, slot: MemorySlot) -> bool:
    """Whether the slot has a bitmap and is writable: a VM with rings alone has none."""
    return slot.logging and not vm.has_ring


def kvm_fault_lock(vm: Kvm, shared: int = 0) -> None:
    """Take mmu_lock for a fault, exclusive or shared."""
    vm.lock(LOCK_MMU, shared)


def kvm_fault_unlock(vm: Kvm, shared: int = 0) -> None:
    """Drop mmu_lock after a fault."""
    vm.unlock(LOCK_MMU, shared)


def mmu_notifier_retry(vm: Kvm, mmu_seq: int) -> bool:
    """Whether the page may have gone since ``mmu_seq`` was read; asked under mmu_lock."""
    retry = bool(vm.notifier_count) or vm.notifier_seq != mmu_seq
    vm.record((RETRY, vm.current, 0, mmu_seq, int(retry), 0))
    return retry


def transparent_hugepage_adjust(
    vm: Kvm, slot: MemorySlot, ipa: int, address: int
) -> tuple[int, int, int]:
    """(bytes, IPA, host address): a page of a transparent huge page becomes its 2 MiB block."""
    size = Backing.PMD.pages * PAGE_SIZE
    if slot.backing is not Backing.PMD or vm.huge_page(slot, slot.original(ipa)).split:
        return PAGE_SIZE, ipa, address
    if fault_supports_stage2_huge_mapping(slot, ipa, size):
        return size, ipa & -size, address & -size
    return PAGE_SIZE, ipa, address


def kvm_set_pfn_dirty(vm: Kvm, ipa: int, address: int) -> None:
    """Tell the host that its page at ``address`` is dirty."""
    vm.record((PFN_DIRTY, vm.current, ipa, 0, address, 0))


def mark_page_dirty(vm: Kvm, ipa: int) -> None:
    """Mark the page in the slot that holds it now, which may be another than at the start."""
    mark_page_dirty_in_slot(vm, vm.slot_of(ipa), ipa)


def mark_page_dirty_in_slot(vm: Kvm, slot: MemorySlot | None, ipa: int) -> None:
    """Set the page's dirty bit, if ``slot`` logs."""
    if slot is not None and slot.logging:
        vm.point(MARK_DIRTY, ipa)
        slot.dirty[ipa] = True
        vm.record((MARK_DIRTY, vm.current, ipa, 0, 0, 0))


def kvm_release_page_unused(vm: Kvm, slot: MemorySlot, info: VmaInfo) -> None:
    """Give the reference back on a way out that maps nothing."""
    kvm_release_pfn_clean(vm, slot, info)


def kvm_release_pfn_clean(vm: Kvm, slot: MemorySlot, info: VmaInfo) -> None:
    """Give the reference of the lookup back; device memory has none."""
    if slot.backing is not Backing.DEVICE:
        vm.point(UNPIN, info.ipa)
        vm.record((UNPIN, vm.current, info.ipa, 0, info.address, 0))
