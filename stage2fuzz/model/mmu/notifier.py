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
) -> int:
    """From here on no fault installs what the host is about to change, by its original address.

    A host mapping may reach beyond both ends of the slot; only what lies in the slot is unmapped.
    What comes back is where that lies for the guest: what the end is to be told.
    """
    told = start + vm.memslot(slot).moved
    vm.record((CALL, vm.current, told, size, 0, CALL_INVALIDATE_START))
    kvm_mmu_lock(vm)
    vm.notifier_count += 1
    slot = vm.memslot(slot)
    start += slot.moved
    vm.record((INVALIDATE_BEGIN, vm.current, start, size, vm.notifier_count, 0))
    first, end = max(start, slot.start), min(start + size, slot.end)
    kvm_unmap_gfn_range(vm, first, end - first, may_block)
    kvm_mmu_unlock(vm)
    vm.record((RETURN, vm.current, told, size, 0, CALL_INVALIDATE_START))
    return start


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


def _host_range(
    vm: Kvm, slot: MemorySlot, start: int, size: int
) -> tuple[list[HostPageState], int, int]:
    """The host mappings to change (the first few of the range), and the range to invalidate."""
    last = vm.host_page(slot, start + size - 1)
    first, end = vm.host_page(slot, start).unit, last.unit + last.size
    pages: list[HostPageState] = []
    at = first
    while at < end and len(pages) < MAX_CHANGED:
        pages.append(vm.host_page(slot, at))
        at += pages[-1].size
    return pages, first, end - first


def move(vm: Kvm, slot: MemorySlot, start: int, size: int) -> int:
    """The host moves pages elsewhere: migration or compaction."""
    pages, first, length = _host_range(vm, slot, start, size)
    for page in pages:
        _lock_page(vm, page)
    told = kvm_mmu_notifier_invalidate_range_start(vm, slot, first, length)
    for page in pages:
        vm.point(BACKING, page.unit)
        # Meanwhile it may have been split, or made part of a huge page.
        if vm.host_page(slot, page.unit) is page:
            _relocate(vm, slot, page)
    kvm_mmu_notifier_invalidate_range_end(vm, told, length)
    for page in pages:
        page.locked = False
    return 0


def thp_split(vm: Kvm, slot: MemorySlot, start: int, _size: int) -> int:
    """A transparent huge page is mapped by pages from now on."""
    return _change_mapping(vm, slot, start, split=True)


def thp_collapse(vm: Kvm, slot: MemorySlot, start: int, _size: int) -> int:
    """khugepaged: it is mapped as one again, and is elsewhere then."""
    return _change_mapping(vm, slot, start, split=False)


def _change_mapping(vm: Kvm, slot: MemorySlot, start: int, split: bool) -> int:
    """Under the mmap lock, with a notifier around; not even that where nothing changes."""
    if not slot.transparent:
        return 0
    page = vm.huge_page(slot, start)
    vm.lock(LOCK_MMAP)
    _lock_page(vm, page)
    if page.split != split and (split or not _has_odd_page(vm, slot, page)):
        told = kvm_mmu_notifier_invalidate_range_start(vm, slot, page.unit, page.size)
        vm.point(BACKING, page.unit)
        page.split = split
        page.splits += split
        if split:
            vm.announce(slot, page)
        else:
            _relocate(vm, slot, page, Host.RW)
        kvm_mmu_notifier_invalidate_range_end(vm, told, page.size)
    page.locked = False
    vm.unlock(LOCK_MMAP)
    return 0


def _has_odd_page(vm: Kvm, slot: MemorySlot, whole: HostPageState) -> bool:
    """Whether khugepaged leaves it alone: some page of it is not the VMM's own."""
    parts = (
        part
        for part in vm.parts.values()
        if whole.unit <= part.unit < whole.unit + whole.size
        and vm.host_page(slot, part.unit) is part
    )
    return whole.host is not Host.RW or any(p.host is not Host.RW or p.locked for p in parts)


def invalidate(vm: Kvm, slot: MemorySlot, start: int, size: int) -> int:
    """A notifier for exactly this range, after which the pages are what they were."""
    told = kvm_mmu_notifier_invalidate_range_start(vm, slot, start, size)
    kvm_mmu_notifier_invalidate_range_end(vm, told, size)
    return 0


def invalidate_nonblock(vm: Kvm, slot: MemorySlot, start: int, size: int) -> int:
    """The same from where nobody may sleep, so that mmu_lock is held throughout."""
    told = kvm_mmu_notifier_invalidate_range_start(vm, slot, start, size, may_block=False)
    kvm_mmu_notifier_invalidate_range_end(vm, told, size)
    return 0


def _lock_page(vm: Kvm, page: HostPageState) -> None:
    """lock_page: two threads of the host never replace the same page at once."""
    if len(vm.scenario.hosts) < 2:
        return
    vm.point(LOCK, page.unit)
    vm.wait(LOCK, page.unit, partial(_unlocked, page))
    page.locked = True


def _unlocked(page: HostPageState) -> bool:
    return not page.locked


def _relocate(vm: Kvm, slot: MemorySlot, page: HostPageState, host: Host | None = None) -> None:
    vm.generation += 1
    page.address = host_address(page_of(page.unit), 0, slot.skewed)
    page.address += vm.generation * GENERATION_STRIDE
    if host is not None:
        page.host = host
    vm.announce(slot, page)


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
    for page in _host_range(vm, slot, start, size)[0]:
        if page.host is Host.ABSENT:
            vm.point(BACKING, page.unit)
            _relocate(vm, slot, page, Host.RW)
    vm.unlock(LOCK_MMAP)
    return 0


def copy_page(vm: Kvm, slot: MemorySlot, ipa: int) -> None:
    """A lookup for writing meets a shared page: the thread that wants it copies it."""
    vm.lock(LOCK_MMAP, 1)
    # Splitting and collapse hold that lock alone.
    page = vm.host_page(slot, ipa)
    while page.host is Host.COW:
        # change_pte holds the lock of the host's table.
        vm.wait(LOCK, page.unit, partial(_unlocked, page))
        before = page.address
        told = kvm_mmu_notifier_invalidate_range_start(vm, slot, page.unit, page.size)
        vm.point(BACKING, page.unit)
        vm.wait(BACKING, page.unit, partial(_unlocked, page))
        # Else another thread has copied or replaced it meanwhile.
        if page.host is Host.COW and page.address == before:
            _relocate(vm, slot, page, Host.RW)
        kvm_mmu_notifier_invalidate_range_end(vm, told, page.size)
    vm.unlock(LOCK_MMAP, 1)


def _change_grants(
    vm: Kvm, slot: MemorySlot, where: tuple[int, int], old: tuple[Host, ...], new: Host
) -> int:
    """Under the mmap lock, with a notifier around; not even that where nothing changes."""
    vm.lock(LOCK_MMAP)
    pages, first, length = _host_range(vm, slot, *where)
    changing = [page for page in pages if page.host in old]
    if changing:
        _change_between(vm, slot, (first, first + length), changing, new)
    vm.unlock(LOCK_MMAP)
    return 0


def _change_vmas(vm: Kvm, slot: MemorySlot, where: tuple[int, int], old: tuple[Host, ...]) -> int:
    """Mappings that do not change are other VMAs: a notifier for each run of those that do."""
    new = Host.RW if Host.R in old else Host.R
    vm.lock(LOCK_MMAP)
    pages, first, length = _host_range(vm, slot, *where)
    changing = [page.host in old for page in pages]
    for change, pairs in groupby(zip(changing, pages, strict=True), key=itemgetter(0)):
        run = [page for _, page in pairs]
        if change:
            last = run[-1] is pages[-1]
            end = first + length if last else run[-1].unit + run[-1].size
            _change_between(vm, slot, (run[0].unit, end), run, new)
    vm.unlock(LOCK_MMAP)
    return 0


def _change_between(
    vm: Kvm, slot: MemorySlot, bounds: tuple[int, int], changing: list[HostPageState], new: Host
) -> None:
    """A notifier around the change of some of the mappings in between."""
    start, end = bounds
    told = kvm_mmu_notifier_invalidate_range_start(vm, slot, start, end - start)
    for page in changing:
        vm.point(BACKING, page.unit)
        page.host = new
        vm.announce(slot, page)
    kvm_mmu_notifier_invalidate_range_end(vm, told, end - start)


def change_pte(vm: Kvm, slot: MemorySlot, start: int, _size: int) -> int:
    """KSM's way: a new shared page, mapped straight from the notifier without a cache."""
    if slot.backing is not Backing.PAGE or slot.contiguous:
        return 0  # KSM merges ordinary pages only
    page = vm.host_page(slot, start)
    _lock_page(vm, page)
    told = kvm_mmu_notifier_invalidate_range_start(vm, slot, page.unit, PAGE_SIZE)
    vm.point(BACKING, page.unit)
    page.locked = True
    _relocate(vm, slot, page, Host.COW)
    now = page.unit + vm.memslot(slot).moved
    vm.record((CALL, vm.current, now, PAGE_SIZE, page.address, CALL_CHANGE_PTE))
    kvm_mmu_lock(vm)
    vm.notifier_seq += 1
    moved = page.unit + vm.memslot(slot).moved
    if vm.slot_of(moved) is not None:
        kvm_set_spte_gfn(vm, moved, page.address)
    kvm_mmu_unlock(vm)
    vm.record((RETURN, vm.current, now, PAGE_SIZE, 0, CALL_CHANGE_PTE))
    page.locked = False
    kvm_mmu_notifier_invalidate_range_end(vm, told, PAGE_SIZE)
    return 0


def kvm_set_spte_gfn(vm: Kvm, ipa: int, address: int) -> None:
    """The new page is mapped read-only, without a memory cache and for no fault; not from v6.10."""
    if vm.flags.ignores_change_pte or not vm.mapped:
        return
    if not vm.flags.walkers_maintain_caches:
        clean_dcache_guest_page(vm, address, PAGE_SIZE)
    vm.pgtable.kvm_pgtable_stage2_map(vm, ipa, PAGE_SIZE, address, PROT_R)


def age(vm: Kvm, slot: MemorySlot, start: int, size: int) -> int:
    """clear_young, no flush: the core ages one host mapping a call, a range in a few calls."""
    kvm_mmu_lock(vm)
    start += vm.memslot(slot).moved
    block = size in (GRANULES[1], GRANULES[2])
    step = size if block else PAGE_SIZE
    pages = range(start, start + size, step)[:MAX_CHANGED]
    young = [
        vm.mapped and vm.pgtable.kvm_pgtable_stage2_test_clear_young(vm, page, step, True)
        for page in pages
    ]
    kvm_mmu_unlock(vm)
    return int(any(young))


def test_young(vm: Kvm, slot: MemorySlot, start: int, _size: int) -> int:
    """Whether the page was accessed lately."""
    kvm_mmu_lock(vm)
    start += vm.memslot(slot).moved
    young = vm.mapped and vm.pgtable.kvm_pgtable_stage2_test_clear_young(
        vm, start, PAGE_SIZE, False
    )
    kvm_mmu_unlock(vm)
    return int(young)
