"""Bugs planted in the fault handler and the notifiers; each docstring says what is wrong."""

from stage2fuzz.arch import GRANULES, PAGE_SIZE, PERMISSION, READ, TABLE_WALK
from stage2fuzz.case.scenario import Backing
from stage2fuzz.events import (
    HOST_WRITE,
    PROT_X,
    TRAPS_SWITCHES,
)
from stage2fuzz.model.machine.slots import MemorySlot
from stage2fuzz.model.mmu import abort_v5_10, abort_v5_15
from stage2fuzz.model.mmu.caches import kvm_set_way_flush, kvm_toggle_cache, stage2_flush_vm
from stage2fuzz.model.mmu.fault import (
    fault_supports_stage2_huge_mapping,
    kvm_fault_lock,
    kvm_fault_unlock,
    kvm_is_write_fault,
    kvm_release_page_unused,
    kvm_release_pfn_clean,
    kvm_s2_fault_compute_prot,
    kvm_s2_fault_pin_pfn,
    kvm_s2_resolve_vma_size,
    kvm_set_pfn_dirty,
    mark_page_dirty_in_slot,
    mmu_notifier_retry,
    read_mmu_seq,
    topup_mmu_memcache,
    transparent_hugepage_adjust,
)
from stage2fuzz.model.mmu.fault_desc import FaultDesc, VmaInfo
from stage2fuzz.model.mmu.kvm import Kvm, kvm_mmu_unlock
from stage2fuzz.model.mmu.memslots import (
    kvm_arch_mmu_enable_log_dirty_pt_masked,
    kvm_arch_prepare_memory_region,
    kvm_flush_remote_tlbs_memslot,
)
from stage2fuzz.model.mmu.notifier import (
    kvm_mmu_notifier_invalidate_range_start,
    kvm_unmap_gfn_range,
)
from stage2fuzz.model.planted import KernelFunction, nothing, spoil, spoil_flags

MAPS = (abort_v5_10.kvm_s2_fault_map, abort_v5_15.kvm_s2_fault_map)
READS_SEQUENCE = (abort_v5_10.user_mem_abort, abort_v5_15.kvm_s2_fault_get_vma_info)

spoil_flags("mark_before_success", abort_v5_10.kvm_s2_fault_map, dirty_after_success=False)
spoil_flags("refused_map_exits", abort_v5_10.user_mem_abort, refused_map_resumes=False)
spoil_flags("host_page_dirty_late", abort_v5_15.kvm_s2_fault_map, marks_host_page_under_lock=False)
spoil("no_dirty_mark", kvm_set_pfn_dirty)(nothing)
spoil("no_dirty_mark", mark_page_dirty_in_slot)(nothing)
spoil("page_not_released", kvm_release_pfn_clean)(nothing)
spoil("unsupported_atomic_keeps_the_page", kvm_release_page_unused)(nothing)
spoil("fault_without_lock", kvm_fault_lock, MAPS)(nothing)
spoil("fault_without_lock", kvm_fault_unlock, MAPS)(nothing)
spoil("clear_without_wrprotect", kvm_arch_mmu_enable_log_dirty_pt_masked)(nothing)
spoil("wrprotect_without_flush", kvm_flush_remote_tlbs_memslot)(nothing)
spoil("caches_on_without_clean", stage2_flush_vm, (kvm_toggle_cache,))(nothing)


@spoil("no_topup", topup_mmu_memcache)
def no_topup(_target: KernelFunction, _vm: Kvm) -> int:
    """The cache is used as it is."""
    return 0


@spoil("table_walk_is_a_write", kvm_is_write_fault)
def table_walk_is_a_write(target: KernelFunction, fault: FaultDesc) -> bool:
    """Every fault of a stage-1 walk is taken for a write, as v5.10 first had it."""
    return bool(fault.how & TABLE_WALK) or bool(target(fault))


@spoil("no_retry", mmu_notifier_retry)
def no_retry(target: KernelFunction, vm: Kvm, mmu_seq: int) -> bool:
    """What the check says is not heard."""
    target(vm, mmu_seq)
    return False


spoil("host_page_never_dirty", kvm_set_pfn_dirty)(nothing)


@spoil("sequence_after_the_mmap_lock", read_mmu_seq, (abort_v5_15.kvm_s2_fault_get_vma_info,))
@spoil("sequence_after_lookup", read_mmu_seq, READS_SEQUENCE)
def read_no_sequence(_target: KernelFunction, _vm: Kvm) -> int:
    """The sequence is not read before the lookup."""
    return 0


@spoil("sequence_after_the_mmap_lock", kvm_s2_fault_pin_pfn, (abort_v5_15.user_mem_abort,))
def read_sequence_before_lookup(
    target: KernelFunction, vm: Kvm, slot: MemorySlot, fault: FaultDesc, info: VmaInfo
) -> int:
    """It is read when the mmap lock is dropped already, before the lookup."""
    info.mmu_seq = read_mmu_seq(vm)
    ret: int = target(vm, slot, fault, info)
    return ret


@spoil("sequence_after_lookup", kvm_s2_fault_pin_pfn)
def read_sequence_after_lookup(
    target: KernelFunction, vm: Kvm, slot: MemorySlot, fault: FaultDesc, info: VmaInfo
) -> int:
    """It is read after it, so that what the lookup saw may be gone already."""
    ret: int = target(vm, slot, fault, info)
    if ret == 1:
        info.mmu_seq = read_mmu_seq(vm)
    return ret


@spoil("writable_in_readonly_slot", kvm_s2_fault_pin_pfn)
def writable_in_readonly_slot(
    target: KernelFunction, vm: Kvm, slot: MemorySlot, fault: FaultDesc, info: VmaInfo
) -> int:
    """What the host may write, the guest may write."""
    ret: int = target(vm, slot, fault, info)
    info.writable = bool(vm.host_flags(slot, vm.host_page(slot, info.ipa)) & HOST_WRITE)
    return ret


@spoil("block_beyond_the_slot", fault_supports_stage2_huge_mapping)
def block_beyond_the_slot(_target: KernelFunction, slot: MemorySlot, _ipa: int, size: int) -> bool:
    """A block may cover more than its slot."""
    return not slot.skewed * PAGE_SIZE % size


@spoil("split_page_as_huge", transparent_hugepage_adjust)
def split_page_as_huge(
    _target: KernelFunction, vm: Kvm, slot: MemorySlot, ipa: int, address: int
) -> tuple[int, int, int]:
    """The host's page was huge once, whatever maps it now."""
    size = Backing.PMD.pages * PAGE_SIZE
    if slot.backing is Backing.PMD and fault_supports_stage2_huge_mapping(slot, ipa, size):
        return size, ipa & -size, address & -size
    return PAGE_SIZE, ipa, address


@spoil("block_while_logging", kvm_s2_resolve_vma_size)
def block_while_logging(
    target: KernelFunction, vm: Kvm, slot: MemorySlot, ipa: int, _logging: bool
) -> tuple[int, bool]:
    """Logged memory is mapped by blocks, whose pages cannot be told apart."""
    resolved: tuple[int, bool] = target(vm, slot, ipa, False)
    return resolved


@spoil("executable_device", kvm_s2_fault_compute_prot)
def executable_device(
    target: KernelFunction, vm: Kvm, slot: MemorySlot, fault: FaultDesc, info: VmaInfo
) -> int:
    """An instruction fetch from a device is mapped."""
    execute = fault.execute and slot.backing is Backing.DEVICE
    if execute:
        fault = FaultDesc(fault.ipa, READ, fault.status, fault.level, fault.how)
    prot: int = target(vm, slot, fault, info)
    return prot | PROT_X if execute else prot


@spoil("relax_at_the_wrong_level", abort_v5_10.relax_or_map)
def relax_at_the_wrong_level(
    target: KernelFunction, vm: Kvm, fault: FaultDesc, ipa: int, address: int, size: int, prot: int
) -> int:
    """A permission fault relaxes, whatever size the leaf has."""
    if fault.status == PERMISSION:
        fault = FaultDesc(fault.ipa, fault.kind, fault.status, GRANULES.index(size), fault.how)
    ret: int = target(vm, fault, ipa, address, size, prot)
    return ret


@spoil("unlock_before_tlbi", kvm_unmap_gfn_range, (kvm_mmu_notifier_invalidate_range_start,))
def unmap_without_lock(
    target: KernelFunction, vm: Kvm, start: int, size: int, may_block: bool
) -> None:
    """mmu_lock is dropped before the range is unmapped and flushed."""
    kvm_mmu_unlock(vm)
    target(vm, start, size, may_block)


spoil("unlock_before_tlbi", kvm_mmu_unlock, (kvm_mmu_notifier_invalidate_range_start,))(nothing)


@spoil("set_way_forgets_to_trap", kvm_set_way_flush)
def set_way_forgets_to_trap(target: KernelFunction, vm: Kvm) -> None:
    """All memory is cleaned, and the next switch of the caches unseen."""
    target(vm)
    vm.guest_state[vm.current] &= ~TRAPS_SWITCHES


@spoil("memslot_checks_nothing", kvm_arch_prepare_memory_region)
def memslot_checks_nothing(_target: KernelFunction, _vm: Kvm, _new: MemorySlot) -> int:
    """Any memslot will do."""
    return 0
