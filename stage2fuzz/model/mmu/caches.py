"""A guest that turns its caches off and on again, and cleans them by set and way."""

from stage2fuzz.events import (
    CALL,
    CALL_SET_WAY,
    CALL_TOGGLE_CACHE,
    RETURN,
    STATE_WANTED_SHIFT,
    TRAPS_SWITCHES,
    USES_CACHES,
)
from stage2fuzz.model.machine.slots import MemorySlot
from stage2fuzz.model.mmu.apply_range import stage2_apply_range
from stage2fuzz.model.mmu.kvm import Kvm, kvm_mmu_lock, kvm_mmu_unlock


def caches_off(vm: Kvm, _slot: MemorySlot, _start: int, _size: int) -> int:
    """SCTLR_EL1 is written, then DC CISW executed; with FWB neither traps."""
    if not vm.options.fwb:
        write_sctlr(vm, 0)
        trap(vm, CALL_SET_WAY, vm.guest_state[vm.current])
    return 0


def caches_on(vm: Kvm, _slot: MemorySlot, _start: int, _size: int) -> int:
    """SCTLR_EL1 is written."""
    if not vm.options.fwb:
        write_sctlr(vm, USES_CACHES)
    return 0


def write_sctlr(vm: Kvm, wanted: int) -> None:
    """The write traps from the first maintenance by set and way on, until the caches are on."""
    if vm.guest_state[vm.current] & TRAPS_SWITCHES:
        trap(vm, CALL_TOGGLE_CACHE, wanted)
    else:
        vm.guest_state[vm.current] = wanted


def trap(vm: Kvm, call: int, wanted: int) -> None:
    """What access_vm_reg and access_dcsw hand over to mmu.c."""
    before = vm.guest_state[vm.current]
    vm.point(CALL, 0)
    vm.record((CALL, vm.current, 0, 0, before | wanted << STATE_WANTED_SHIFT, call))
    if call == CALL_SET_WAY:
        kvm_set_way_flush(vm)
    else:
        kvm_toggle_cache(vm, wanted)
    vm.point(RETURN, 0)
    vm.record((RETURN, vm.current, 0, 0, vm.guest_state[vm.current], call))


def kvm_set_way_flush(vm: Kvm) -> None:
    """Clean all memory the first time, and trap switches of the caches from then on."""
    if not vm.guest_state[vm.current] & TRAPS_SWITCHES:
        stage2_flush_vm(vm)
        vm.guest_state[vm.current] |= TRAPS_SWITCHES


def kvm_toggle_cache(vm: Kvm, wanted: int) -> None:
    """Clean all memory where the caches are really switched; once they are on, trap no more."""
    before = vm.guest_state[vm.current]
    vm.guest_state[vm.current] = wanted | before & TRAPS_SWITCHES
    if (before ^ wanted) & USES_CACHES:
        stage2_flush_vm(vm)
    if wanted & USES_CACHES:
        vm.guest_state[vm.current] = wanted


def stage2_flush_vm(vm: Kvm) -> None:
    """Clean the data cache of all that is mapped, slot by slot."""
    vm.readers[vm.current] = vm.slots_epoch
    kvm_mmu_lock(vm)
    for _number, slot in sorted(vm.last.items()):
        flush = vm.pgtable.kvm_pgtable_stage2_flush
        stage2_apply_range(vm, slot.start, slot.end - slot.start, flush)
    kvm_mmu_unlock(vm)
    vm.readers[vm.current] = -1
