"""kvm_pgtable_stage2_map: the map path, where the series' problem lies.

One fault maps one page or one block, under mmu_lock. What happens on a valid leaf that differs in
permissions only is the revision's choice; everything else is common.
"""

from stage2fuzz.arch import LAST_LEVEL, PTE_ADDRESS, PTE_PERMISSIONS, PTE_VALID, PTE_XN
from stage2fuzz.events import (
    CALL,
    CALL_MAP,
    DSB_ISHST,
    E2BIG,
    EAGAIN,
    EINVAL,
    ENOMEM,
    ORDER_RELEASE,
    RETURN,
    WARN,
    WARN_LEAF_AT_LAST_LEVEL,
)
from stage2fuzz.model.machine.maintenance import clean_dcache_of_leaf, invalidate_icache_guest_page
from stage2fuzz.model.machine.tlb import tlb_flush_vmid, tlb_flush_vmid_ipa
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable.leaf import (
    kvm_block_mapping_supported,
    kvm_init_valid_leaf_pte,
    kvm_set_invalid_pte,
    kvm_set_table_pte,
    kvm_set_valid_leaf_pte,
    release_table,
    stage2_set_prot_attr,
)
from stage2fuzz.model.pgtable.walk import (
    GRANULES,
    LEAF,
    TABLE_POST,
    TABLE_PRE,
    Walk,
    kvm_pgtable_walk,
)
from stage2fuzz.model.revision import PermissionOnly


class MapWalk(Walk):
    """struct stage2_map_data beside the walk: where the next leaf points, and the anchor."""

    __slots__ = ("anchor", "attr", "child", "phys", "thread")

    def __init__(self, addr: int, size: int, phys: int, attr: int, thread: int) -> None:
        super().__init__(addr, size, stage2_map_walker, LEAF | TABLE_PRE | TABLE_POST)
        self.phys = phys
        self.attr = attr
        self.anchor = self.child = 0
        self.thread = thread
        """Whose memory cache the pages come from; -1: the caller has none."""


def kvm_pgtable_stage2_map(
    vm: Vm, addr: int, size: int, phys: int, prot: int, thread: int = -1
) -> int:
    """Map [addr, addr + size) to ``phys`` with PROT_*; 0, -EAGAIN, -ENOMEM, -EINVAL or -ERANGE."""
    vm.record((CALL, vm.current, addr, size, phys, CALL_MAP | prot << 8))
    attr = stage2_set_prot_attr(prot, vm.options.fwb)
    ret = kvm_pgtable_walk(vm, MapWalk(addr, size, phys, attr, thread))
    vm.dsb(DSB_ISHST)
    vm.record((RETURN, vm.current, addr, size, ret, CALL_MAP))
    return ret


def stage2_map_walker(vm: Vm, walk: MapWalk, ptep: int, level: int, flag: int) -> int:
    """The visitor: blocks replace tables on the way down, leaves are written at the bottom."""
    if flag == LEAF:
        return stage2_map_walk_leaf(vm, walk, ptep, level)
    if flag == TABLE_PRE:
        return stage2_map_walk_table_pre(vm, walk, ptep, level)
    return stage2_map_walk_table_post(vm, walk, ptep, level)


def stage2_map_walk_table_pre(vm: Vm, walk: MapWalk, ptep: int, level: int) -> int:
    """A table where a block fits: break it, flush the whole VMID, remember it as the anchor."""
    if walk.anchor:
        return 0
    if not kvm_block_mapping_supported(walk.addr, walk.end, walk.phys, level):
        return 0
    walk.child = walk.loaded & PTE_ADDRESS
    kvm_set_invalid_pte(vm, ptep, walk.loaded)
    if vm.planted.collapse_flushes_by_ipa:
        tlb_flush_vmid_ipa(vm, walk.addr, level)
    elif not vm.planted.free_before_flush:
        tlb_flush_vmid(vm)
    walk.anchor, walk.sparse = ptep, True
    return 0


def stage2_map_walk_table_post(vm: Vm, walk: MapWalk, ptep: int, level: int) -> int:
    """Below the anchor free each child; at the anchor itself write the block."""
    if not walk.anchor:
        return 0
    if vm.revision.cleared_entries and walk.anchor == ptep:
        return block_before_child(vm, walk, ptep, level)
    child = vm.load(ptep) & PTE_ADDRESS
    if not vm.planted.collapse_leaks_the_child:
        release_table(vm, child)
    vm.put_page(ptep)
    if walk.anchor != ptep:
        return 0
    if vm.planted.free_before_flush:
        tlb_flush_vmid(vm)
    walk.anchor, walk.sparse = 0, False
    walk.loaded = vm.load(ptep)
    return stage2_map_walk_leaf(vm, walk, ptep, level)


def block_before_child(vm: Vm, walk: MapWalk, ptep: int, level: int) -> int:
    """At the anchor from v5.15 on: the block is written, then the table that it replaced goes."""
    walk.anchor, walk.sparse = 0, False
    walk.loaded = vm.load(ptep)
    ret = stage2_map_walk_leaf(vm, walk, ptep, level)
    vm.put_page(walk.child)
    vm.put_page(ptep)
    return ret


def stage2_map_walk_leaf(vm: Vm, walk: MapWalk, ptep: int, level: int) -> int:
    """Write the leaf here, or make room for a table and let the walk descend into it."""
    if walk.anchor:
        if walk.loaded & PTE_VALID:
            vm.put_page(ptep)
        return 0
    ret = stage2_map_walker_try_leaf(vm, walk, ptep, level)
    if ret != -E2BIG:
        return ret
    if level == LAST_LEVEL:
        vm.record((WARN, vm.current, 0, 0, 0, WARN_LEAF_AT_LAST_LEVEL))
        return -EINVAL
    if walk.thread < 0 or vm.caches[walk.thread] == 0:
        return -ENOMEM
    vm.caches[walk.thread] -= 1
    child = vm.alloc_page(zero=not vm.planted.link_before_zeroing)
    pte = walk.loaded
    if pte & PTE_VALID:
        if not vm.planted.no_break_on_remap:
            kvm_set_invalid_pte(vm, ptep, pte)
            tlb_flush_vmid_ipa(vm, walk.addr, level)
        vm.put_page(ptep)
    kvm_set_table_pte(vm, ptep, child)
    if vm.planted.link_before_zeroing:
        vm.zero_page(child)
    vm.get_page(ptep)
    return 0


def stage2_map_walker_try_leaf(vm: Vm, walk: MapWalk, ptep: int, level: int) -> int:
    """Install the leaf if one entry of this level can be it: 0, -E2BIG (it can't) or -EAGAIN."""
    if not kvm_block_mapping_supported(walk.addr, walk.end, walk.phys, level):
        return -E2BIG
    rule = vm.revision.permission_only
    if rule is PermissionOnly.REWRITE:
        return _rewrite(vm, walk, ptep, level)
    new = kvm_init_valid_leaf_pte(walk.phys, walk.attr, level)
    old = walk.loaded
    if old & PTE_VALID:
        if rule is PermissionOnly.SKIP:
            if not (old ^ new) & ~PTE_PERMISSIONS:
                return -EAGAIN
        elif not (old ^ new) & ~PTE_PERMISSIONS:
            _in_place(vm, walk, ptep, level, old, new, rule)
            walk.phys += GRANULES[level]
            return 0
        _break(vm, walk, ptep, level)
    if vm.revision.cleared_entries:
        clean_dcache_of_leaf(vm, new, level)
        if not new & PTE_XN:
            invalidate_icache_guest_page(vm, walk.phys, GRANULES[level])
    vm.store(ptep, new, ORDER_RELEASE)
    vm.get_page(ptep)
    walk.phys += GRANULES[level]
    return 0


def _rewrite(vm: Vm, walk: MapWalk, ptep: int, level: int) -> int:
    """v5.10: any difference is a break-before-make, even one that takes permission away."""
    old = walk.loaded
    if old & PTE_VALID and not vm.planted.count_kept_on_rewrite:
        vm.put_page(ptep)
        if vm.planted.count_dropped_twice:
            vm.put_page(ptep)
    if not _set_leaf(vm, walk, ptep, old, level):
        if not vm.planted.no_break_on_remap:
            kvm_set_invalid_pte(vm, ptep, old)
            tlb_flush_vmid_ipa(vm, walk.addr, level)
            _set_leaf(vm, walk, ptep, vm.load(ptep), level)
        else:
            vm.store(ptep, kvm_init_valid_leaf_pte(walk.phys, walk.attr, level), ORDER_RELEASE)
    vm.get_page(ptep)
    walk.phys += GRANULES[level]
    return 0


def _set_leaf(vm: Vm, walk: MapWalk, ptep: int, old: int, level: int) -> bool:
    """Write the leaf over an invalid entry; False if another valid one is there.

    Patch 1 moves this out of the helper shared with hyp stage 1; what it does is the same.
    """
    if not vm.revision.decoupled_writers:
        return kvm_set_valid_leaf_pte(vm, ptep, old, walk.phys, walk.attr, level)
    new = kvm_init_valid_leaf_pte(walk.phys, walk.attr, level)
    if old & PTE_VALID:
        return old == new
    vm.store(ptep, new, ORDER_RELEASE)
    return True


def _in_place(
    vm: Vm, walk: MapWalk, ptep: int, level: int, old: int, new: int, rule: PermissionOnly
) -> None:
    """series-v1 compares attribute words as numbers, series-v4 takes the union; neither breaks."""
    if rule is PermissionOnly.GREATER:
        changed = (new ^ PTE_XN) > (old ^ PTE_XN)
    else:
        new = ((new ^ PTE_XN) | (old ^ PTE_XN)) ^ PTE_XN
        changed = new != old
    if changed:
        vm.store(ptep, new)
        tlb_flush_vmid_ipa(vm, walk.addr, level)


def _break(vm: Vm, walk: MapWalk, ptep: int, level: int) -> None:
    """The old leaf points elsewhere: invalid, flushed, one reference less."""
    planted = vm.planted
    if not planted.no_break_on_remap:
        kvm_set_invalid_pte(vm, ptep, walk.loaded)
        tlb_flush_vmid_ipa(vm, walk.addr, level)
    if not planted.count_kept_on_rewrite:
        vm.put_page(ptep)
        if planted.count_dropped_twice:
            vm.put_page(ptep)
