"""kvm_pgtable_stage2_map: the map path, where the series' problem lies.

One fault maps one page or one block, under mmu_lock. What happens on a valid leaf that differs in
permissions only is a flag's choice (``permission_only``); everything else is common.
"""

from stage2fuzz.arch import GRANULES, LAST_LEVEL, PTE_ADDRESS, PTE_VALID, PTE_XN
from stage2fuzz.errors import ModelError
from stage2fuzz.events import (
    CALL,
    CALL_MAP,
    CALL_PROT_SHIFT,
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
from stage2fuzz.model.flags import PermissionOnly
from stage2fuzz.model.kvm_pgtable import LEAF, TABLE_POST, TABLE_PRE
from stage2fuzz.model.machine.maintenance import clean_dcache_of_leaf, invalidate_icache_guest_page
from stage2fuzz.model.machine.memcache import NO_CACHE, kvm_mmu_memory_cache_alloc
from stage2fuzz.model.machine.tlb import kvm_tlb_flush_vmid
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable.leaf import (
    kvm_block_mapping_supported,
    kvm_init_valid_leaf_pte,
    kvm_set_invalid_pte,
    kvm_set_table_pte,
    release_table,
    stage2_pte_needs_update,
    stage2_put_pte,
    stage2_set_prot_attr,
)
from stage2fuzz.model.pgtable.permission_only import rewrite_leaf, update_in_place
from stage2fuzz.model.pgtable.walk import Visitor, Walk, kvm_pgtable_walk


class MapWalk(Walk):
    """struct stage2_map_data beside the walk: where the next leaf points, and the anchor."""

    __slots__ = ("anchor", "attr", "child", "memcache", "phys")

    def __init__(
        self, visit: Visitor, addr: int, size: int, phys: int, attr: int, memcache: int
    ) -> None:
        super().__init__(visit, addr, size, LEAF | TABLE_PRE | TABLE_POST)
        self.phys = phys
        self.attr = attr
        self.anchor = self.child = 0
        self.memcache = memcache
        """Number of the memory cache that the tables come from, or NO_CACHE."""


def kvm_pgtable_stage2_map(
    vm: Vm, addr: int, size: int, phys: int, prot: int, memcache: int = NO_CACHE, _flags: int = 0
) -> int:
    """Map [addr, addr + size) to ``phys`` with PROT_*; 0, -EAGAIN, -ENOMEM, -EINVAL or -ERANGE."""
    vm.record((CALL, vm.current, addr, size, phys, CALL_MAP | prot << CALL_PROT_SHIFT))
    attr = stage2_set_prot_attr(prot, vm.options.fwb)
    ret = kvm_pgtable_walk(vm, MapWalk(stage2_map_walker, addr, size, phys, attr, memcache))
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
    kvm_tlb_flush_vmid(vm)
    walk.anchor, walk.sparse = ptep, True
    return 0


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
    child = kvm_mmu_memory_cache_alloc(vm, walk.memcache)
    if not child:
        return -ENOMEM
    if walk.loaded & PTE_VALID:
        stage2_put_pte(vm, ptep, walk.loaded, walk.addr, level)
    kvm_set_table_pte(vm, ptep, child)
    vm.get_page(ptep)
    return 0


def stage2_map_walker_try_leaf(vm: Vm, walk: MapWalk, ptep: int, level: int) -> int:
    """Install the leaf if one entry of this level can be it: 0, -E2BIG (it can't) or -EAGAIN."""
    old, phys, granule = walk.loaded, walk.phys, GRANULES[level]
    if not kvm_block_mapping_supported(walk.addr, walk.end, phys, level):
        return -E2BIG
    rule = vm.flags.permission_only
    if rule is PermissionOnly.REWRITE:
        rewrite_leaf(vm, ptep, old, walk.addr, phys, walk.attr, level)
        walk.phys += granule
        return 0
    new = kvm_init_valid_leaf_pte(phys, walk.attr, level)
    if old & PTE_VALID:
        if not stage2_pte_needs_update(old, new):
            if rule is PermissionOnly.SKIP:
                return -EAGAIN
            update_in_place(vm, ptep, old, new, walk.addr, level)
            walk.phys += granule
            return 0
        stage2_put_pte(vm, ptep, old, walk.addr, level)
    if vm.flags.walkers_maintain_caches:
        clean_dcache_of_leaf(vm, new, level)
        if not new & PTE_XN:
            invalidate_icache_guest_page(vm, phys, granule)
    vm.store(ptep, new, ORDER_RELEASE)
    vm.get_page(ptep)
    walk.phys += granule
    return 0


def stage2_map_walk_table_post(vm: Vm, walk: MapWalk, ptep: int, level: int) -> int:
    """Below the anchor free each child; at the anchor itself write the block."""
    if not walk.anchor:
        return 0
    if walk.anchor == ptep and vm.flags.writes_block_before_free:
        ret = write_block(vm, walk, ptep, level)
        vm.put_page(walk.child)
        vm.put_page(ptep)
        return ret
    release_table(vm, vm.load(ptep) & PTE_ADDRESS)
    vm.put_page(ptep)
    return write_block(vm, walk, ptep, level) if walk.anchor == ptep else 0


def kvm_pgtable_stage2_split(_vm: Vm, _addr: int, _size: int) -> int:
    """Blocks are split by faults alone until v6.5; no kernel of this package asks for it."""
    raise ModelError("eager splitting came in v6.5")


def write_block(vm: Vm, walk: MapWalk, ptep: int, level: int) -> int:
    """The anchor has served: the block takes its place."""
    walk.anchor, walk.sparse = 0, False
    walk.loaded = vm.load(ptep)
    return stage2_map_walk_leaf(vm, walk, ptep, level)
