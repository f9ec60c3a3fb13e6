"""The host's side: memslot changes, dirty log, MMU notifiers, aging, teardown, hyp mappings.

Each operation is a plain function of the running host thread, in the order in which virt/kvm and
arch/arm64/kvm/mmu.c do it; which lock is held where is what the races are about.
"""

from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Final

from stage2fuzz.arch import PAGE_SIZE
from stage2fuzz.engine.hyp import kvm_pgtable_hyp_map
from stage2fuzz.engine.leaf import PROT_R, PROT_W
from stage2fuzz.engine.unmapping import kvm_free_stage2_pgd
from stage2fuzz.engine.vm import SPLIT_CACHE, HostPageState, MemorySlot, Vm
from stage2fuzz.engine.walk import GRANULES
from stage2fuzz.events import (
    BACKING,
    CALL,
    CALL_AGE,
    CALL_CHANGE_PTE,
    CALL_INVALIDATE_FINISH,
    CALL_INVALIDATE_START,
    CALL_LOG_CLEAR,
    CALL_LOG_DISABLE,
    CALL_LOG_ENABLE,
    CALL_LOG_GET,
    CALL_SLOT_DELETE,
    CALL_TEARDOWN,
    CALL_TEST_YOUNG,
    CLEAR_DIRTY,
    EINVAL,
    ENOENT,
    INVALIDATE_BEGIN,
    INVALIDATE_END,
    LOCK,
    LOCK_HYP,
    LOCK_MMAP,
    LOCK_MMU,
    LOCK_SLOTS,
    REPORT,
    RETURN,
    SLOT,
    SLOT_LOGGING,
    THREAD_END,
)
from stage2fuzz.scenario import (
    GENERATION_STRIDE,
    SLOT_STRIDE,
    Backing,
    Host,
    HostOp,
    Op,
    host_address,
    ipa_of,
    page_of,
)

MAX_CHANGED: Final = 4
"""Host mappings that one operation changes; the rest of its range is invalidated for nothing,
as a notifier for a large range often does."""

Operation = Callable[[Vm, MemorySlot, int, int], int]
"""(vm, slot, first IPA, bytes) -> the result that the caller in user space sees."""


def host_thread(vm: Vm, operations: tuple[HostOp, ...]) -> None:
    """Run a host thread's operations one after another."""
    for operation in operations:
        if not vm.mapped:
            return  # the VM is gone, and every file descriptor of it
        number = operation.page // SLOT_STRIDE
        slot = next((s for s in vm.slots if s.number == number), None)
        if slot is None:
            continue
        start = ipa_of(operation.page)
        size = max(0, min(operation.pages * PAGE_SIZE, slot.end - start))
        if not size:
            continue
        code, function = OPERATIONS[operation.op]
        if code:
            vm.record((CALL, vm.current, start, size, 0, code))
        result = function(vm, slot, start, size)
        if code:
            vm.record((RETURN, vm.current, start, size, result, code))


def publish(vm: Vm, slot: MemorySlot, deleted: bool = False) -> None:
    """Publish a new memslot array, and wait until no fault handler uses the old one."""
    vm.point(SLOT, slot.number)
    if vm.revision.swap_waits:
        vm.wait(SLOT, slot.number, lambda: not vm.notifier_count)
    others = [s for s in vm.slots if s.number != slot.number]
    vm.slots = others if deleted else sorted([*others, slot], key=lambda s: s.number)
    size = 0 if deleted else slot.end - slot.start
    vm.record((SLOT, vm.current, slot.start, size, slot.flags, slot.number))
    vm.slots_epoch += 1
    epoch = vm.slots_epoch
    vm.wait(SLOT, slot.number, lambda: all(not 0 <= seen < epoch for seen in vm.readers))


def stage2_apply_range(
    vm: Vm, start: int, size: int, function: Callable[[Vm, int, int], int]
) -> None:
    """Apply ``function`` to the range in parts that end where a root entry ends, or from v6.2 a
    block of the largest size; between two parts mmu_lock goes to whoever waits for it."""
    end, step = start + size, GRANULES[max(vm.start_level, vm.era.widest_step)]
    while start < end:
        following = min(end, (start & -step) + step)
        function(vm, start, following - start)
        start = following
        if start < end and vm.contended(LOCK_MMU):
            vm.unlock(LOCK_MMU)
            vm.lock(LOCK_MMU)


def log_enable(vm: Vm, slot: MemorySlot, _start: int, _size: int) -> int:
    """KVM_MEM_LOG_DIRTY_PAGES on: publish, write-protect the slot, unlock, then flush."""
    vm.lock(LOCK_SLOTS)
    old = _current(vm, slot)
    # kvm_arch_prepare_memory_region refuses to log device memory.
    device = slot.backing is Backing.DEVICE
    if old is not None and not device and not old.flags & SLOT_LOGGING:
        new = copy(old)
        new.flags |= SLOT_LOGGING
        new.dirty = {}
        publish(vm, new)
        vm.lock(LOCK_MMU)
        stage2_apply_range(vm, new.start, new.end - new.start, vm.era.wrprotect)
        vm.unlock(LOCK_MMU)
        if not vm.planted.wrprotect_without_flush:
            vm.era.flush_slot(vm, new)
        vm.era.split_slot(vm, new)
    vm.unlock(LOCK_SLOTS)
    return -EINVAL if device else 0


def log_disable(vm: Vm, slot: MemorySlot, _start: int, _size: int) -> int:
    """KVM_MEM_LOG_DIRTY_PAGES off: nothing happens in stage 2; blocks come back by faults."""
    vm.lock(LOCK_SLOTS)
    old = _current(vm, slot)
    if old is not None and old.flags & SLOT_LOGGING:
        new = copy(old)
        new.flags &= ~SLOT_LOGGING
        publish(vm, new)
        vm.caches[SPLIT_CACHE] = 0
    vm.unlock(LOCK_SLOTS)
    return 0


def _current(vm: Vm, slot: MemorySlot) -> MemorySlot | None:
    """The slot as the array has it now that slots_lock is held; None if it was deleted."""
    return next((each for each in vm.slots if each.number == slot.number), None)


def log_get(vm: Vm, slot: MemorySlot, _start: int, _size: int) -> int:
    """KVM_GET_DIRTY_LOG with automatic protection, over the whole slot."""
    return _harvest(vm, slot, slot.start, slot.end - slot.start, by_clear=0)


def log_clear(vm: Vm, slot: MemorySlot, start: int, size: int) -> int:
    """KVM_CLEAR_DIRTY_LOG of the range: what the mask names and is set."""
    return _harvest(vm, slot, start, size, by_clear=1)


def _harvest(vm: Vm, old: MemorySlot, start: int, size: int, by_clear: int) -> int:
    """Clear bits and write-protect what they covered under the lock; unlock, flush, report."""
    vm.lock(LOCK_SLOTS)
    slot = _current(vm, old)
    if slot is None or not slot.flags & SLOT_LOGGING:
        vm.unlock(LOCK_SLOTS)
        return -ENOENT
    vm.lock(LOCK_MMU)
    taken: list[int] = []
    for ipa in sorted(ipa for ipa in slot.dirty if start <= ipa < start + size):
        vm.point(CLEAR_DIRTY, ipa)
        del slot.dirty[ipa]
        vm.record((CLEAR_DIRTY, vm.current, ipa, 0, 0, 0))
        taken.append(ipa)
    if not vm.planted.clear_without_wrprotect:
        for first, end in _words(slot, taken):
            stage2_apply_range(vm, first, end - first, vm.era.wrprotect)
    vm.unlock(LOCK_MMU)
    if taken and not vm.planted.wrprotect_without_flush:
        vm.era.flush_slot(vm, slot)
    for ipa in taken:
        vm.record((REPORT, vm.current, ipa, 0, 0, by_clear))
    vm.unlock(LOCK_SLOTS)
    return 0


def _words(slot: MemorySlot, taken: list[int]) -> list[tuple[int, int]]:
    """For each 64-page word of the bitmap the range from its first to its last set bit."""
    ranges: dict[int, tuple[int, int]] = {}
    for ipa in taken:
        word = (ipa - slot.start) // (64 * PAGE_SIZE)
        first = ranges.get(word, (ipa, 0))[0]
        ranges[word] = (first, ipa + PAGE_SIZE)
    return list(ranges.values())


def invalidate_start(vm: Vm, slot: MemorySlot, start: int, size: int) -> None:
    """invalidate_range_start: from here on no fault installs what the host is about to change.

    A host mapping may be larger than the slot; only what lies in the slot is unmapped.
    """
    vm.record((CALL, vm.current, start, size, 0, CALL_INVALIDATE_START))
    vm.lock(LOCK_MMU)
    vm.notifier_count += 1
    vm.record((INVALIDATE_BEGIN, vm.current, start, size, vm.notifier_count, 0))
    if vm.planted.unlock_before_tlbi:
        vm.unlock(LOCK_MMU)
    stage2_apply_range(vm, start, min(size, slot.end - start), vm.era.unmap)
    if not vm.planted.unlock_before_tlbi:
        vm.unlock(LOCK_MMU)
    vm.record((RETURN, vm.current, start, size, 0, CALL_INVALIDATE_START))


def invalidate_end(vm: Vm, start: int, size: int) -> None:
    """invalidate_range_end: the sequence moves before the count drops."""
    vm.record((CALL, vm.current, start, size, 0, CALL_INVALIDATE_FINISH))
    vm.lock(LOCK_MMU)
    vm.notifier_seq += 1
    vm.notifier_count -= 1
    vm.record((INVALIDATE_END, vm.current, start, size, vm.notifier_seq, 0))
    vm.unlock(LOCK_MMU)
    vm.record((RETURN, vm.current, start, size, 0, CALL_INVALIDATE_FINISH))


def _host_range(slot: MemorySlot, start: int, size: int) -> tuple[list[int], int, int]:
    """The host mappings to change (the first few of the range), and the range to invalidate."""
    step = slot.backing.pages * PAGE_SIZE
    first = slot.unit(start)
    length = -(-(start + size - first) // step) * step
    return list(range(first, first + length, step))[:MAX_CHANGED], first, length


def move(vm: Vm, slot: MemorySlot, start: int, size: int) -> int:
    """The host moves pages elsewhere: migration or compaction."""
    units, first, length = _host_range(slot, start, size)
    _lock_pages(vm, slot, units)
    invalidate_start(vm, slot, first, length)
    for unit in units:
        vm.point(BACKING, unit)
        _relocate(vm, slot, unit)
    invalidate_end(vm, first, length)
    _unlock_pages(vm, slot, units)
    return 0


def _lock_pages(vm: Vm, slot: MemorySlot, units: list[int]) -> None:
    """lock_page: two threads of the host never replace the same page at once."""
    if len(vm.scenario.hosts) < 2:
        return
    for unit in units:
        page = vm.host_page(slot, unit)
        vm.point(LOCK, unit)
        vm.wait(LOCK, unit, partial(_unlocked, page))
        page.locked = True


def _unlocked(page: HostPageState) -> bool:
    return not page.locked


def _unlock_pages(vm: Vm, slot: MemorySlot, units: list[int]) -> None:
    for unit in units:
        vm.host_page(slot, unit).locked = False


def _relocate(vm: Vm, slot: MemorySlot, unit: int, host: Host | None = None) -> None:
    page = vm.host_page(slot, unit)
    vm.generation += 1
    page.address = host_address(page_of(unit), 0, slot.skewed) + vm.generation * GENERATION_STRIDE
    if host is not None:
        page.host = host
    _announce(vm, slot, unit)


def _announce(vm: Vm, slot: MemorySlot, unit: int) -> None:
    page = vm.host_page(slot, unit)
    size = slot.backing.pages * PAGE_SIZE
    flags = vm.host_flags(slot, page)
    vm.record((BACKING, vm.current, unit, size, page.address, flags))


def protect(vm: Vm, slot: MemorySlot, start: int, size: int) -> int:
    """mprotect(PROT_READ) by the VMM, under the mmap lock."""
    units, first, length = _host_range(slot, start, size)
    vm.lock(LOCK_MMAP)
    invalidate_start(vm, slot, first, length)
    for unit in units:
        page = vm.host_page(slot, unit)
        if page.host in (Host.RW, Host.LAZY):
            vm.point(BACKING, unit)
            page.host = Host.R
            _announce(vm, slot, unit)
    invalidate_end(vm, first, length)
    vm.unlock(LOCK_MMAP)
    return 0


def unprotect(vm: Vm, slot: MemorySlot, start: int, size: int) -> int:
    """mprotect(PROT_READ | PROT_WRITE) by the VMM; more rights need no notifier."""
    vm.lock(LOCK_MMAP)
    for unit in _host_range(slot, start, size)[0]:
        page = vm.host_page(slot, unit)
        if page.host is Host.R:
            vm.point(BACKING, unit)
            page.host = Host.RW
            _announce(vm, slot, unit)
    vm.unlock(LOCK_MMAP)
    return 0


def change_pte(vm: Vm, slot: MemorySlot, start: int, _size: int) -> int:
    """KSM's way: a new read-only page, mapped straight from the notifier without a cache."""
    unit = slot.unit(start)
    if slot.backing is not Backing.PAGE:
        return 0  # KSM merges ordinary pages only
    _lock_pages(vm, slot, [unit])
    invalidate_start(vm, slot, unit, PAGE_SIZE)
    vm.point(BACKING, unit)
    _relocate(vm, slot, unit, Host.LAZY)
    address = vm.host_page(slot, unit).address
    vm.record((CALL, vm.current, unit, PAGE_SIZE, address, CALL_CHANGE_PTE))
    vm.lock(LOCK_MMU)
    vm.notifier_seq += 1
    if vm.slot_of(unit) is not None:
        vm.era.set_spte(vm, unit, address)
    vm.unlock(LOCK_MMU)
    vm.record((RETURN, vm.current, unit, PAGE_SIZE, 0, CALL_CHANGE_PTE))
    invalidate_end(vm, unit, PAGE_SIZE)
    _unlock_pages(vm, slot, [unit])
    return 0


def age(vm: Vm, _slot: MemorySlot, start: int, size: int) -> int:
    """clear_young, no flush: the core ages one host mapping a call, a range in a few calls."""
    vm.lock(LOCK_MMU)
    block = size in (GRANULES[1], GRANULES[2])
    step = size if block else PAGE_SIZE
    pages = range(start, start + size, step)[:MAX_CHANGED]
    young = [vm.era.mkold(vm, page, step) for page in pages]
    vm.unlock(LOCK_MMU)
    return int(any(young))


def test_young(vm: Vm, _slot: MemorySlot, start: int, _size: int) -> int:
    """Whether the page was accessed lately."""
    vm.lock(LOCK_MMU)
    young = vm.era.is_young(vm, start)
    vm.unlock(LOCK_MMU)
    return int(young)


def slot_delete(vm: Vm, slot: MemorySlot, _start: int, _size: int) -> int:
    """Delete a memslot: unpublish it, wait for its readers, then unmap it."""
    vm.lock(LOCK_SLOTS)
    old = _current(vm, slot)
    if old is not None:
        publish(vm, old, deleted=True)
        vm.lock(LOCK_MMU)
        stage2_apply_range(vm, slot.start, slot.end - slot.start, vm.era.unmap)
        vm.unlock(LOCK_MMU)
    vm.unlock(LOCK_SLOTS)
    return 0


def teardown(vm: Vm, _slot: MemorySlot, _start: int, _size: int) -> int:
    """The VM dies with its last file descriptor: nobody runs it and nobody calls it any more."""
    vm.leaving.append(vm.current)
    others = [thread for thread in range(len(vm.ended)) if thread not in vm.leaving]
    vm.wait(THREAD_END, 0, lambda: all(vm.ended[each] or each in vm.leaving for each in others))
    kvm_free_stage2_pgd(vm)
    return 0


def hyp_map(vm: Vm, _slot: MemorySlot, start: int, _size: int) -> int:
    """Map one page into hyp stage 1, then ask for other permissions on it."""
    vm.lock(LOCK_HYP)
    kvm_pgtable_hyp_map(vm, start, start, PROT_R | PROT_W)
    result = kvm_pgtable_hyp_map(vm, start, start, PROT_R)
    vm.unlock(LOCK_HYP)
    return result


OPERATIONS: Final[dict[Op, tuple[int, Operation]]] = {
    Op.LOG_ENABLE: (CALL_LOG_ENABLE, log_enable),
    Op.LOG_DISABLE: (CALL_LOG_DISABLE, log_disable),
    Op.LOG_GET: (CALL_LOG_GET, log_get),
    Op.LOG_CLEAR: (CALL_LOG_CLEAR, log_clear),
    Op.MOVE: (0, move),
    Op.PROTECT: (0, protect),
    Op.UNPROTECT: (0, unprotect),
    Op.AGE: (CALL_AGE, age),
    Op.TEST_YOUNG: (CALL_TEST_YOUNG, test_young),
    Op.CHANGE_PTE: (0, change_pte),
    Op.SLOT_DELETE: (CALL_SLOT_DELETE, slot_delete),
    Op.TEARDOWN: (CALL_TEARDOWN, teardown),
    Op.HYP_MAP: (0, hyp_map),
}
