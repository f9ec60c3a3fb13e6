"""MMU notifiers: the host moves, protects and ages pages, and stage 2 must follow."""

from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Final

from stage2fuzz.arch import GRANULES, PAGE_SIZE
from stage2fuzz.case.scenario import GENERATION_STRIDE, Backing, Host, host_address, page_of
from stage2fuzz.events import (
    BACKING,
    CALL,
    CALL_CHANGE_PTE,
    CALL_INVALIDATE_FINISH,
    CALL_INVALIDATE_START,
    INVALIDATE_BEGIN,
    INVALIDATE_END,
    LOCK,
    LOCK_MMAP,
    PROT_R,
    RETURN,
)
from stage2fuzz.model.machine.maintenance import clean_dcache_guest_page
from stage2fuzz.model.machine.slots import HostPageState, MemorySlot
from stage2fuzz.model.mmu.apply_range import stage2_apply_range
from stage2fuzz.model.mmu.kvm import Kvm, kvm_mmu_lock, kvm_mmu_unlock

MAX_CHANGED: Final = 4
"""Host mappings that one operation changes; the rest of its range is invalidated for nothing,
as a notifier for a large range often does."""


def kvm_mmu_notifier_invalidate_range_start(
    vm: Kvm, slot: MemorySlot, start: int, size: int, may_block: bool = True
) -> None:
    """From here on no fault installs what the host is about to change.

    A host mapping may reach beyond both ends of the slot; only what lies in the slot is unmapped.
    """
    vm.record((CALL, vm.current, start, size, 0, CALL_INVALIDATE_START))
    kvm_mmu_lock(vm)
    vm.notifier_count += 1
    vm.record((INVALIDATE_BEGIN, vm.current, start, size, vm.notifier_count, 0))
    first, end = max(start, slot.start), min(start + size, slot.end)
    kvm_unmap_gfn_range(vm, first, end - first, may_block)
    kvm_mmu_unlock(vm)
    vm.record((RETURN, vm.current, start, size, 0, CALL_INVALIDATE_START))


def kvm_mmu_notifier_invalidate_range_end(vm: Kvm, start: int, size: int) -> None:
    """The sequence moves before the count drops."""
    vm.record((CALL, vm.current, start, size, 0, CALL_INVALIDATE_FINISH))
    kvm_mmu_lock(vm)
    vm.notifier_seq += 1
    vm.notifier_count -= 1
    vm.record((INVALIDATE_END, vm.current, start, size, vm.notifier_seq, 0))
    kvm_mmu_unlock(vm)
    vm.record((RETURN, vm.current, start, size, 0, CALL_INVALIDATE_FINISH))


def kvm_unmap_gfn_range(vm: Kvm, start: int, size: int, may_block: bool) -> None:
    """Unmap and flush a range in parts, if there is anything to unmap from any more."""
    if vm.mapped:
        stage2_apply_range(vm, start, size, vm.pgtable.kvm_pgtable_stage2_unmap, may_block)


def _host_range(slot: MemorySlot, start: int, size: int) -> tuple[list[int], int, int]:
    """The host mappings to change (the first few of the range), and the range to invalidate."""
    step = slot.backing.pages * PAGE_SIZE
    first = slot.unit(start)
    length = -(-(start + size - first) // step) * step
    return list(range(first, first + length, step))[:MAX_CHANGED], first, length


def move(vm: Kvm, slot: MemorySlot, start: int, size: int) -> int:
    """The host moves pages elsewhere: migration or compaction."""
    units, first, length = _host_range(slot, start, size)
    _lock_pages(vm, slot, units)
    kvm_mmu_notifier_invalidate_range_start(vm, slot, first, length)
    for unit in units:
        vm.point(BACKING, unit)
        _relocate(vm, slot, unit)
    kvm_mmu_notifier_invalidate_range_end(vm, first, length)
    _unlock_pages(vm, slot, units)
    return 0


def invalidate(vm: Kvm, slot: MemorySlot, start: int, size: int) -> int:
    """A notifier for exactly this range, after which the pages are what they were."""
    kvm_mmu_notifier_invalidate_range_start(vm, slot, start, size)
    kvm_mmu_notifier_invalidate_range_end(vm, start, size)
    return 0


def invalidate_nonblock(vm: Kvm, slot: MemorySlot, start: int, size: int) -> int:
    """The same from where nobody may sleep, so that mmu_lock is held throughout."""
    kvm_mmu_notifier_invalidate_range_start(vm, slot, start, size, may_block=False)
    kvm_mmu_notifier_invalidate_range_end(vm, start, size)
    return 0


def _lock_pages(vm: Kvm, slot: MemorySlot, units: list[int]) -> None:
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


def _unlock_pages(vm: Kvm, slot: MemorySlot, units: list[int]) -> None:
    for unit in units:
        vm.host_page(slot, unit).locked = False


def _relocate(vm: Kvm, slot: MemorySlot, unit: int, host: Host | None = None) -> None:
    page = vm.host_page(slot, unit)
    vm.generation += 1
    page.address = host_address(page_of(unit), 0, slot.skewed) + vm.generation * GENERATION_STRIDE
    if host is not None:
        page.host = host
    _announce(vm, slot, unit)


def _announce(vm: Kvm, slot: MemorySlot, unit: int) -> None:
    page = vm.host_page(slot, unit)
    size = slot.backing.pages * PAGE_SIZE
    flags = vm.host_flags(slot, page)
    vm.record((BACKING, vm.current, unit, size, page.address, flags))


def protect(vm: Kvm, slot: MemorySlot, start: int, size: int) -> int:
    """mprotect(PROT_READ) by the VMM."""
    return _change_vmas(vm, slot, (start, size), (Host.RW, Host.LAZY, Host.COW))


def unprotect(vm: Kvm, slot: MemorySlot, start: int, size: int) -> int:
    """mprotect(PROT_READ | PROT_WRITE) by the VMM; more rights run a notifier as well."""
    return _change_vmas(vm, slot, (start, size), (Host.R,))


def share(vm: Kvm, slot: MemorySlot, start: int, size: int) -> int:
    """fork, or KSM before it replaces a page: nobody writes to the page itself any more."""
    if slot.backing is Backing.DEVICE:
        return 0
    return _change_grants(vm, slot, (start, size), (Host.RW,), Host.COW)


def munmap(vm: Kvm, slot: MemorySlot, start: int, size: int) -> int:
    """munmap by the VMM: no VMA any more."""
    old = tuple(host for host in Host if host is not Host.ABSENT)
    return _change_grants(vm, slot, (start, size), old, Host.ABSENT)


def mmap(vm: Kvm, slot: MemorySlot, start: int, size: int) -> int:
    """mmap by the VMM where there is no VMA: nothing needs to be invalidated."""
    vm.lock(LOCK_MMAP)
    for unit in _host_range(slot, start, size)[0]:
        if vm.host_page(slot, unit).host is Host.ABSENT:
            vm.point(BACKING, unit)
            _relocate(vm, slot, unit, Host.RW)
    vm.unlock(LOCK_MMAP)
    return 0


def copy_page(vm: Kvm, slot: MemorySlot, ipa: int) -> None:
    """A lookup for writing meets a shared page: the thread that wants it copies it."""
    unit, size = slot.unit(ipa), slot.backing.pages * PAGE_SIZE
    page = vm.host_page(slot, unit)
    vm.lock(LOCK_MMAP, 1)
    while page.host is Host.COW:
        # change_pte holds the lock of the host's table.
        vm.wait(LOCK, unit, partial(_unlocked, page))
        before = page.address
        kvm_mmu_notifier_invalidate_range_start(vm, slot, unit, size)
        vm.point(BACKING, unit)
        vm.wait(BACKING, unit, partial(_unlocked, page))
        # Else another thread has copied or replaced it meanwhile.
        if page.host is Host.COW and page.address == before:
            _relocate(vm, slot, unit, Host.RW)
        kvm_mmu_notifier_invalidate_range_end(vm, unit, size)
    vm.unlock(LOCK_MMAP, 1)


def _change_grants(
    vm: Kvm, slot: MemorySlot, where: tuple[int, int], old: tuple[Host, ...], new: Host
) -> int:
    """Under the mmap lock, with a notifier around; not even that where nothing changes."""
    units, first, length = _host_range(slot, *where)
    vm.lock(LOCK_MMAP)
    changing = [unit for unit in units if vm.host_page(slot, unit).host in old]
    if changing:
        _change_between(vm, slot, (first, first + length), changing, new)
    vm.unlock(LOCK_MMAP)
    return 0


def _change_vmas(vm: Kvm, slot: MemorySlot, where: tuple[int, int], old: tuple[Host, ...]) -> int:
    """Mappings that do not change are other VMAs: a notifier for each run of those that do."""
    units, first, length = _host_range(slot, *where)
    new = Host.RW if Host.R in old else Host.R
    vm.lock(LOCK_MMAP)
    changing = [vm.host_page(slot, unit).host in old for unit in units]
    for change, pairs in groupby(zip(changing, units, strict=True), key=itemgetter(0)):
        run = [unit for _, unit in pairs]
        if change:
            last = run[-1] == units[-1]
            end = first + length if last else run[-1] + slot.backing.pages * PAGE_SIZE
            _change_between(vm, slot, (run[0], end), run, new)
    vm.unlock(LOCK_MMAP)
    return 0


def _change_between(
    vm: Kvm, slot: MemorySlot, bounds: tuple[int, int], changing: list[int], new: Host
) -> None:
    """A notifier around the change of some of the mappings in between."""
    start, end = bounds
    kvm_mmu_notifier_invalidate_range_start(vm, slot, start, end - start)
    for unit in changing:
        vm.point(BACKING, unit)
        vm.host_page(slot, unit).host = new
        _announce(vm, slot, unit)
    kvm_mmu_notifier_invalidate_range_end(vm, start, end - start)


def change_pte(vm: Kvm, slot: MemorySlot, start: int, _size: int) -> int:
    """KSM's way: a new shared page, mapped straight from the notifier without a cache."""
    unit = slot.unit(start)
    if slot.backing is not Backing.PAGE:
        return 0  # KSM merges ordinary pages only
    _lock_pages(vm, slot, [unit])
    kvm_mmu_notifier_invalidate_range_start(vm, slot, unit, PAGE_SIZE)
    vm.point(BACKING, unit)
    vm.host_page(slot, unit).locked = True
    _relocate(vm, slot, unit, Host.COW)
    address = vm.host_page(slot, unit).address
    vm.record((CALL, vm.current, unit, PAGE_SIZE, address, CALL_CHANGE_PTE))
    kvm_mmu_lock(vm)
    vm.notifier_seq += 1
    if vm.slot_of(unit) is not None:
        kvm_set_spte_gfn(vm, unit, address)
    kvm_mmu_unlock(vm)
    vm.record((RETURN, vm.current, unit, PAGE_SIZE, 0, CALL_CHANGE_PTE))
    vm.host_page(slot, unit).locked = False
    kvm_mmu_notifier_invalidate_range_end(vm, unit, PAGE_SIZE)
    _unlock_pages(vm, slot, [unit])
    return 0


def kvm_set_spte_gfn(vm: Kvm, ipa: int, address: int) -> None:
    """The new page is mapped read-only, without a memory cache and for no fault; not from v6.10."""
    if vm.flags.ignores_change_pte or not vm.mapped:
        return
    if not vm.flags.walkers_maintain_caches:
        clean_dcache_guest_page(vm, address, PAGE_SIZE)
    vm.pgtable.kvm_pgtable_stage2_map(vm, ipa, PAGE_SIZE, address, PROT_R)


def age(vm: Kvm, _slot: MemorySlot, start: int, size: int) -> int:
    """clear_young, no flush: the core ages one host mapping a call, a range in a few calls."""
    kvm_mmu_lock(vm)
    block = size in (GRANULES[1], GRANULES[2])
    step = size if block else PAGE_SIZE
    pages = range(start, start + size, step)[:MAX_CHANGED]
    young = [
        vm.mapped and vm.pgtable.kvm_pgtable_stage2_test_clear_young(vm, page, step, True)
        for page in pages
    ]
    kvm_mmu_unlock(vm)
    return int(any(young))


def test_young(vm: Kvm, _slot: MemorySlot, start: int, _size: int) -> int:
    """Whether the page was accessed lately."""
    kvm_mmu_lock(vm)
    young = vm.mapped and vm.pgtable.kvm_pgtable_stage2_test_clear_young(
        vm, start, PAGE_SIZE, False
    )
    kvm_mmu_unlock(vm)
    return int(young)
