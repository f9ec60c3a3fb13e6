"""Memslot changes: the dirty log switched on and off, read and cleared; deletion.

In the order in which virt/kvm and mmu.c do it; which lock is held where is what races are about.
"""

from copy import copy

from stage2fuzz.arch import PAGE_SIZE
from stage2fuzz.case.scenario import CLEARED_AT_ONCE, MOVE_STRIDE, Backing
from stage2fuzz.events import (
    CALL,
    CALL_SLOT_LIMIT,
    CLEAR_DIRTY,
    EFAULT,
    EINVAL,
    ENOENT,
    LOCK_MMAP,
    LOCK_MMU,
    LOCK_SLOTS,
    MARK_DIRTY,
    REPORT,
    RETURN,
    SLOT,
    SLOT_LOGGING,
)
from stage2fuzz.model.machine.slots import MemorySlot
from stage2fuzz.model.machine.tlb import kvm_tlb_flush_vmid, kvm_tlb_flush_vmid_range
from stage2fuzz.model.machine.vm import SPLIT_CACHE
from stage2fuzz.model.mmu.apply_range import stage2_apply_range
from stage2fuzz.model.mmu.kvm import Kvm, kvm_mmu_lock, kvm_mmu_unlock
from stage2fuzz.model.mmu.split import (
    kvm_mmu_split_huge_pages,
    kvm_mmu_split_memory_region,
    splits_eagerly,
)
from stage2fuzz.schedule.base import FOREVER


def publish(vm: Kvm, slot: MemorySlot, deleted: bool = False) -> None:
    """Publish a new memslot array, and wait until no fault handler uses the old one."""
    vm.point(SLOT, slot.number)
    if vm.flags.swap_waits_for_notifiers:
        vm.wait(SLOT, slot.number, lambda: not vm.notifier_count)
    vm.last[slot.number] = slot
    others = [s for s in vm.slots if s.number != slot.number]
    vm.slots = others if deleted else sorted([*others, slot], key=lambda s: s.number)
    size = 0 if deleted else slot.end - slot.start
    vm.record((SLOT, vm.current, slot.start, size, slot.flags, slot.number))
    vm.slots_epoch += 1
    epoch = vm.slots_epoch
    vm.wait(SLOT, slot.number, lambda: all(not 0 <= seen < epoch for seen in vm.readers))


def log_enable(vm: Kvm, slot: MemorySlot, _start: int, _size: int) -> int:
    """KVM_MEM_LOG_DIRTY_PAGES on: publish, write-protect the slot, unlock, then flush."""
    vm.lock(LOCK_SLOTS)
    old = _current(vm, slot)
    result = 0
    if old is not None and not old.flags & SLOT_LOGGING:
        new = copy(old)
        new.flags |= SLOT_LOGGING
        result = ask(vm, new, flushes=False)
        if not result:
            begin_log(vm, new)
            publish(vm, new)
            if not vm.scenario.logs_begin_set:
                kvm_mmu_wp_memory_region(vm, new)
                if vm.flags.splits_eagerly:
                    kvm_mmu_split_memory_region(vm, new)
    vm.unlock(LOCK_SLOTS)
    return result


def ask(vm: Kvm, new: MemorySlot, flushes: bool = True) -> int:
    """What the architecture has against a slot; the locks that it takes are no steps where nobody
    has them, so that schedules from before it was asked mean what they meant. A slot that comes is
    flushed by older trees, under mmu_lock."""
    busy = flushes and not vm.is_lock_free(LOCK_MMU, 0)
    if busy or not vm.is_lock_free(LOCK_MMAP, 1):
        return kvm_arch_prepare_memory_region(vm, new)
    left, vm.left = vm.left, FOREVER
    result = kvm_arch_prepare_memory_region(vm, new)
    vm.left = left
    return result


def kvm_arch_prepare_memory_region(vm: Kvm, new: MemorySlot) -> int:
    """Whether a slot may be so: inside the IPA space, and no device memory that is logged."""
    if new.end > 1 << vm.options.ipa_bits:
        return -EFAULT
    vm.lock(LOCK_MMAP, 1)
    refused = new.backing is Backing.DEVICE and new.flags & SLOT_LOGGING and vm.has_vma(new)
    vm.unlock(LOCK_MMAP, 1)
    return -EINVAL if refused else 0


def begin_log(vm: Kvm, slot: MemorySlot) -> None:
    """A log begins: empty, or with all bits set."""
    slot.dirty = {}
    if vm.scenario.logs_begin_set:
        for ipa in range(slot.start, slot.end, PAGE_SIZE):
            slot.dirty[ipa] = True
            vm.record((MARK_DIRTY, vm.current, ipa, 0, 0, 0))


def kvm_mmu_wp_memory_region(vm: Kvm, slot: MemorySlot) -> None:
    """Write-protect a whole slot under the lock; unlock, then flush."""
    kvm_mmu_lock(vm)
    kvm_stage2_wp_range(vm, slot.start, slot.end)
    kvm_mmu_unlock(vm)
    kvm_flush_remote_tlbs_memslot(vm, slot)


def kvm_stage2_wp_range(vm: Kvm, start: int, end: int) -> None:
    """Write-protect a range in parts."""
    stage2_apply_range(vm, start, end - start, vm.pgtable.kvm_pgtable_stage2_wrprotect)


def kvm_flush_remote_tlbs_memslot(vm: Kvm, slot: MemorySlot) -> None:
    """Flush what write protection left in the TLBs: the VMID, from v6.6 the slot's range."""
    if vm.flags.flushes_slot_by_range:
        kvm_tlb_flush_vmid_range(vm, slot.start, slot.end - slot.start)
    else:
        kvm_tlb_flush_vmid(vm)


def log_disable(vm: Kvm, slot: MemorySlot, _start: int, _size: int) -> int:
    """KVM_MEM_LOG_DIRTY_PAGES off: nothing happens in stage 2; blocks come back by faults."""
    vm.lock(LOCK_SLOTS)
    old = _current(vm, slot)
    if old is not None and old.flags & SLOT_LOGGING:
        new = copy(old)
        new.flags &= ~SLOT_LOGGING
        ask(vm, new, flushes=False)
        publish(vm, new)
        vm.caches[SPLIT_CACHE] = 0
    vm.unlock(LOCK_SLOTS)
    return 0


def _current(vm: Kvm, slot: MemorySlot) -> MemorySlot | None:
    """The slot as the array has it now that slots_lock is held; None if it was deleted."""
    return next((each for each in vm.slots if each.number == slot.number), None)


def log_get(vm: Kvm, slot: MemorySlot, _start: int, _size: int) -> int:
    """KVM_GET_DIRTY_LOG with automatic protection, over the whole slot."""
    return _harvest(vm, slot, slot.origin, slot.end - slot.start, by_clear=0)


def log_clear(vm: Kvm, slot: MemorySlot, start: int, size: int) -> int:
    """KVM_CLEAR_DIRTY_LOG of the range: what the mask names and is set."""
    return _harvest(vm, slot, start, size, by_clear=1)


def _harvest(vm: Kvm, old: MemorySlot, start: int, size: int, by_clear: int) -> int:
    """Clear bits and write-protect what they covered under the lock; unlock, flush, report."""
    vm.lock(LOCK_SLOTS)
    slot = _current(vm, old)
    if slot is None or not slot.flags & SLOT_LOGGING or (by_clear and vm.has_ring):
        vm.unlock(LOCK_SLOTS)
        return -ENOENT
    start += slot.moved
    begun_set = vm.scenario.logs_begin_set
    if not by_clear and vm.options.manual:
        # Only KVM_CLEAR_DIRTY_LOG takes bits; those that were always set tell nothing.
        for ipa in sorted(() if begun_set else slot.dirty):
            vm.record((REPORT, vm.current, ipa, 0, 0, by_clear))
        vm.unlock(LOCK_SLOTS)
        return 0
    if begun_set:
        size = min(size, CLEARED_AT_ONCE * PAGE_SIZE)
    kvm_mmu_lock(vm)
    taken: list[int] = []
    for ipa in sorted(ipa for ipa in slot.dirty if start <= ipa < start + size):
        vm.point(CLEAR_DIRTY, ipa)
        del slot.dirty[ipa]
        vm.record((CLEAR_DIRTY, vm.current, ipa, 0, 0, 0))
        taken.append(ipa)
    kvm_arch_mmu_enable_log_dirty_pt_masked(vm, slot, taken)
    kvm_mmu_unlock(vm)
    if taken:
        kvm_flush_remote_tlbs_memslot(vm, slot)
    for ipa in taken:
        vm.record((REPORT, vm.current, ipa, 0, 0, by_clear))
    vm.unlock(LOCK_SLOTS)
    return 0


def kvm_arch_mmu_enable_log_dirty_pt_masked(vm: Kvm, slot: MemorySlot, taken: list[int]) -> None:
    """Write-protect the pages whose bits were taken, a word of the bitmap at a time; where no log
    was protected as it began, their blocks are split now."""
    for first, end in _words(slot, taken):
        kvm_stage2_wp_range(vm, first, end)
        if vm.scenario.logs_begin_set and vm.flags.splits_eagerly and splits_eagerly(vm):
            kvm_mmu_split_huge_pages(vm, first, end)


def _words(slot: MemorySlot, taken: list[int]) -> list[tuple[int, int]]:
    """For each 64-page word of the bitmap the range from its first to its last set bit."""
    ranges: dict[int, tuple[int, int]] = {}
    for ipa in taken:
        word = (ipa - slot.start) // (64 * PAGE_SIZE)
        first = ranges.get(word, (ipa, 0))[0]
        ranges[word] = (first, ipa + PAGE_SIZE)
    return list(ranges.values())


def slot_delete(vm: Kvm, slot: MemorySlot, _start: int, _size: int) -> int:
    """Delete a memslot: unpublish it, wait for its readers, then unmap it."""
    vm.lock(LOCK_SLOTS)
    old = _current(vm, slot)
    if old is not None:
        publish(vm, old, deleted=True)
        kvm_arch_flush_shadow_memslot(vm, old)
    vm.unlock(LOCK_SLOTS)
    return 0


def kvm_arch_flush_shadow_memslot(vm: Kvm, slot: MemorySlot) -> None:
    """Unmap a whole slot that nobody finds any more."""
    kvm_mmu_lock(vm)
    stage2_apply_range(vm, slot.start, slot.end - slot.start, vm.pgtable.kvm_pgtable_stage2_unmap)
    kvm_mmu_unlock(vm)


def slot_move(vm: Kvm, slot: MemorySlot, _start: int, _size: int) -> int:
    """KVM_MR_MOVE: the slot goes as in a deletion, then it is published elsewhere."""
    vm.lock(LOCK_SLOTS)
    old = _current(vm, slot)
    if old is not None and old.can_move and not old.flags & SLOT_LOGGING:
        publish(vm, old, deleted=True)
        kvm_arch_flush_shadow_memslot(vm, old)
        new = copy(old)
        new.lie(0 if old.moved else MOVE_STRIDE)
        ask(vm, new)
        vm.last[new.number] = new
        vm.announce_all(new)
        publish(vm, new)
        vm.caches[SPLIT_CACHE] = 0
    vm.unlock(LOCK_SLOTS)
    return 0


def slot_create(vm: Kvm, slot: MemorySlot, _start: int, _size: int) -> int:
    """Add a memslot that was deleted again; without a dirty log nothing else is to be done."""
    vm.lock(LOCK_SLOTS)
    if _current(vm, slot) is None:
        slot.lie(vm.memslot(slot).moved)
        ask(vm, slot)
        publish(vm, slot)
        vm.caches[SPLIT_CACHE] = 0
    vm.unlock(LOCK_SLOTS)
    return 0


def slot_limit(vm: Kvm, slot: MemorySlot, _start: int, _size: int) -> int:
    """A memslot that ends where the guest's IPA space does, and one that ends a page above."""
    vm.lock(LOCK_SLOTS)
    for end in (1 << vm.options.ipa_bits, (1 << vm.options.ipa_bits) + PAGE_SIZE):
        new = copy(slot)
        new.flags &= ~SLOT_LOGGING
        new.lie(end - new.end + new.moved)
        size = new.end - new.start
        vm.record((CALL, vm.current, new.start, size, 0, CALL_SLOT_LIMIT))
        result = ask(vm, new)
        vm.record((RETURN, vm.current, new.start, size, result, CALL_SLOT_LIMIT))
    vm.unlock(LOCK_SLOTS)
    return 0
