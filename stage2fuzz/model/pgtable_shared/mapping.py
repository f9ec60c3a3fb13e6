"""kvm_pgtable_stage2_map of v6.12: faults map side by side, each entry changed by one of them.

There is no way back up any more: a block takes its table's place first, and the table below it is
torn down when no walker can be in it.
"""

from functools import partial

from stage2fuzz.arch import LAST_LEVEL, PTE_ADDRESS, PTE_PERMISSIONS, PTE_TABLE, PTE_VALID, PTE_XN
from stage2fuzz.events import (
    CALL,
    CALL_MAP,
    DSB_ISHST,
    E2BIG,
    EAGAIN,
    EINVAL,
    ENOMEM,
    RETURN,
    WARN,
    WARN_LEAF_AT_LAST_LEVEL,
)
from stage2fuzz.model.machine.maintenance import clean_dcache_of_leaf, invalidate_icache_guest_page
from stage2fuzz.model.machine.rcu import call_rcu
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable.leaf import (
    kvm_block_mapping_supported,
    kvm_init_valid_leaf_pte,
    stage2_set_prot_attr,
)
from stage2fuzz.model.pgtable.walk import GRANULES, LEAF, TABLE_PRE
from stage2fuzz.model.pgtable_shared.entries import stage2_make_pte, stage2_try_break_pte
from stage2fuzz.model.pgtable_shared.unmapping import kvm_pgtable_stage2_free_unlinked
from stage2fuzz.model.pgtable_shared.walk import (
    HANDLE_FAULT,
    SHARED,
    SharedWalk,
    Visit,
    kvm_pgtable_walk,
)


class SharedMapWalk(SharedWalk):
    """struct stage2_map_data beside the walk; the address of a leaf follows from its IPA."""

    __slots__ = ("attr", "phys", "thread")

    def __init__(self, addr: int, size: int, phys: int, attr: int, thread: int, flags: int) -> None:
        super().__init__(addr, size, stage2_map_walker, LEAF | TABLE_PRE | flags)
        self.phys = phys & -4096
        self.attr = attr
        self.thread = thread
        """Whose memory cache the pages come from; -1: the caller has none."""


def kvm_pgtable_stage2_map(
    vm: Vm,
    addr: int,
    size: int,
    phys: int,
    prot: int,
    thread: int,
    flags: int = HANDLE_FAULT | SHARED,
) -> int:
    """Map [addr, addr + size) to ``phys`` with PROT_*: 0, or where a fault is handled -EAGAIN
    (somebody else was there first, or only permissions differ), -ENOMEM, -EINVAL or -ERANGE."""
    vm.record((CALL, vm.current, addr, size, phys, CALL_MAP | prot << 8))
    attr = stage2_set_prot_attr(prot, vm.options.fwb)
    ret = kvm_pgtable_walk(vm, SharedMapWalk(addr, size, phys, attr, thread, flags))
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
    if vm.planted.child_freed_at_once:
        kvm_pgtable_stage2_free_unlinked(vm, child, level)
    else:
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
    if walk.thread < 0 or vm.caches[walk.thread] == 0:
        return -ENOMEM
    vm.caches[walk.thread] -= 1
    child = vm.alloc_page()
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
    if visit.old & PTE_VALID and not (visit.old ^ new) & ~PTE_PERMISSIONS:
        return -EAGAIN
    if not stage2_try_break_pte(vm, visit):
        return -EAGAIN
    clean_dcache_of_leaf(vm, new, level)
    if not new & PTE_XN:
        invalidate_icache_guest_page(vm, phys, GRANULES[level])
    stage2_make_pte(vm, visit, new)
    return 0
