"""kvm_pgtable_stage2_map from v6.2 on: faults map side by side, each entry changed by one of them.

There is no way back up any more: a block takes its table's place first, and the table below it is
torn down when no walker can be in it.
"""

from functools import partial

from stage2fuzz.arch import (
    GRANULES,
    LAST_LEVEL,
    PAGE_MASK,
    PTE_ADDRESS,
    PTE_TABLE,
    PTE_VALID,
    PTE_XN,
)
from stage2fuzz.events import (
    CALL,
    CALL_MAP,
    CALL_PROT_SHIFT,
    DSB_ISHST,
    E2BIG,
    EAGAIN,
    EINVAL,
    ENOMEM,
    RETURN,
    WARN,
    WARN_LEAF_AT_LAST_LEVEL,
)
from stage2fuzz.model.kvm_pgtable import LEAF, TABLE_PRE
from stage2fuzz.model.machine.maintenance import clean_dcache_of_leaf, invalidate_icache_guest_page
from stage2fuzz.model.machine.memcache import NO_CACHE, kvm_mmu_memory_cache_alloc
from stage2fuzz.model.machine.rcu import call_rcu
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable.leaf import (
    kvm_block_mapping_supported,
    kvm_init_valid_leaf_pte,
    stage2_pte_needs_update,
    stage2_set_prot_attr,
)
from stage2fuzz.model.pgtable_shared.entries import stage2_make_pte, stage2_try_break_pte
from stage2fuzz.model.pgtable_shared.unmapping import kvm_pgtable_stage2_free_unlinked
from stage2fuzz.model.pgtable_shared.walk import SharedVisitor, SharedWalk, Visit, kvm_pgtable_walk


class SharedMapWalk(SharedWalk):
    """struct stage2_map_data beside the walk; the address of a leaf follows from its IPA."""

    __slots__ = ("attr", "memcache", "phys")

    def __init__(
        self,
        visit: SharedVisitor,
        addr: int,
        size: int,
        phys: int,
        attr: int,
        memcache: int,
        flags: int,
    ) -> None:
        super().__init__(visit, addr, size, LEAF | TABLE_PRE | flags)
        self.phys = phys & PAGE_MASK
        self.attr = attr
        self.memcache = memcache
        """Number of the memory cache that the tables come from, or NO_CACHE."""


def kvm_pgtable_stage2_map(
    vm: Vm, addr: int, size: int, phys: int, prot: int, memcache: int = NO_CACHE, flags: int = 0
) -> int:
    """Map [addr, addr + size) to ``phys`` with PROT_*: 0, or where a fault is handled -EAGAIN
    (somebody else was there first, or only permissions differ), -ENOMEM, -EINVAL or -ERANGE."""
    vm.record((CALL, vm.current, addr, size, phys, CALL_MAP | prot << CALL_PROT_SHIFT))
    attr = stage2_set_prot_attr(prot, vm.options.fwb)
    walk = SharedMapWalk(stage2_map_walker, addr, size, phys, attr, memcache, flags)
    ret = kvm_pgtable_walk(vm, walk)
    vm.dsb(DSB_ISHST)
    vm.record((RETURN, vm.current, addr, size, ret, CALL_MAP))
    return ret


def stage2_map_walker(vm: Vm, walk: SharedMapWalk, visit: Visit, flag: int) -> int:
    """The visitor: a block replaces a table on the way down, a leaf is written at the bottom."""
    if flag == LEAF:
        return stage2_map_walk_leaf(vm, walk, visit)
    return stage2_map_walk_table_pre(vm, walk, visit)


def stage2_map_walk_table_pre(vm: Vm, walk: SharedMapWalk, visit: Visit) -> int:
    """A table where a block fits: the block goes live, then the table goes when its readers do."""
    child, level = visit.old & PTE_ADDRESS, visit.level
    ret = stage2_map_walker_try_leaf(vm, walk, visit)
    if ret:
        return 0 if ret == -E2BIG else ret
    call_rcu(vm, child, partial(kvm_pgtable_stage2_free_unlinked, vm, child, level))
    return 0


def stage2_map_walk_leaf(vm: Vm, walk: SharedMapWalk, visit: Visit) -> int:
    """Write the leaf here, or link a table for the walk to descend into."""
    ret = stage2_map_walker_try_leaf(vm, walk, visit)
    if ret != -E2BIG:
        return ret
    if visit.level == LAST_LEVEL:
        vm.record((WARN, vm.current, 0, 0, 0, WARN_LEAF_AT_LAST_LEVEL))
        return -EINVAL
    child = kvm_mmu_memory_cache_alloc(vm, walk.memcache)
    if not child:
        return -ENOMEM
    if not stage2_try_break_pte(vm, visit):
        vm.put_page(child)
        return -EAGAIN
    stage2_make_pte(vm, visit, child | PTE_TABLE | PTE_VALID)
    return 0


def stage2_map_walker_try_leaf(vm: Vm, walk: SharedMapWalk, visit: Visit) -> int:
    """Install the leaf if one entry of this level can be it: 0, -E2BIG (it can't) or -EAGAIN."""
    level = visit.level
    phys = walk.phys + (visit.addr - walk.start)
    if not kvm_block_mapping_supported(visit.addr, walk.end, phys, level):
        return -E2BIG
    new = kvm_init_valid_leaf_pte(phys, walk.attr, level)
    if visit.old & PTE_VALID and not stage2_pte_needs_update(visit.old, new):
        return -EAGAIN
    if not stage2_try_break_pte(vm, visit):
        return -EAGAIN
    clean_dcache_of_leaf(vm, new, level)
    if not new & PTE_XN:
        invalidate_icache_guest_page(vm, phys, GRANULES[level])
    stage2_make_pte(vm, visit, new)
    return 0
