"""kvm_pgtable_walk from v6.2 on: several walks at once, each visit judges one load of its entry.

A visitor's decisions rest on ``Visit.old`` alone and reach the table by compare-and-exchange, so a
walk that lost a race learns it there. Table pages stay until the walk ends: it is an RCU reader.
"""

from collections.abc import Callable
from typing import Any

from stage2fuzz.arch import (
    ENTRIES,
    ENTRY_SIZE,
    GRANULES,
    LAST_LEVEL,
    PAGE_MASK,
    PAGE_SIZE,
    PTE_ADDRESS,
    PTE_TYPE,
    SHIFTS,
)
from stage2fuzz.events import EAGAIN, EINVAL, ERANGE
from stage2fuzz.model.kvm_pgtable import HANDLE_FAULT, LEAF, SHARED, TABLE_POST, TABLE_PRE
from stage2fuzz.model.machine.rcu import rcu_read_lock, rcu_read_unlock
from stage2fuzz.model.machine.vm import Vm


class Visit:
    """struct kvm_pgtable_visit_ctx: one entry as it was when the walk came by."""

    __slots__ = ("addr", "level", "old", "ptep", "shared")

    def __init__(self, ptep: int, old: int, addr: int, level: int, shared: int) -> None:
        self.ptep, self.old, self.addr, self.level, self.shared = ptep, old, addr, level, shared


SharedVisitor = Callable[[Vm, Any, Visit, int], int]
"""(vm, walk, visit, flag) -> 0 or a negative errno."""


class SharedWalk:
    """struct kvm_pgtable_walk_data and its walker: the range, and what to call."""

    __slots__ = ("addr", "end", "flags", "start", "visit")

    def __init__(self, visit: SharedVisitor, addr: int, size: int, flags: int) -> None:
        """[addr, addr + size) in whole pages."""
        self.start = self.addr = addr & PAGE_MASK
        self.end = self.start + (size + PAGE_SIZE - 1 & PAGE_MASK)
        self.visit = visit
        self.flags = flags


def kvm_pgtable_walk(vm: Vm, walk: SharedWalk) -> int:
    """Visit the range; the first error that counts stops the walk and is returned."""
    shared = walk.flags & SHARED
    if shared:
        rcu_read_lock(vm)
    ret = _kvm_pgtable_walk(vm, walk)
    if shared:
        rcu_read_unlock(vm)
    return ret


def _kvm_pgtable_walk(vm: Vm, walk: SharedWalk) -> int:
    """The root entries that the range covers."""
    limit = 1 << vm.options.ipa_bits
    if walk.addr > limit or walk.end > limit:
        return -ERANGE
    if not vm.mapped:
        return -EINVAL
    level = vm.start_level
    while walk.addr < walk.end:
        ret = __kvm_pgtable_visit(
            vm, walk, vm.root + (walk.addr >> SHIFTS[level]) * ENTRY_SIZE, level
        )
        if ret:
            return ret
    return 0


def __kvm_pgtable_walk(vm: Vm, walk: SharedWalk, table: int, level: int) -> int:
    """The entries of one table page that the range covers."""
    index = (walk.addr >> SHIFTS[level]) & (ENTRIES - 1)
    while index < ENTRIES and walk.addr < walk.end:
        ret = __kvm_pgtable_visit(vm, walk, table + index * ENTRY_SIZE, level)
        if ret:
            return ret
        index += 1
    return 0


def __kvm_pgtable_visit(vm: Vm, walk: SharedWalk, ptep: int, level: int) -> int:
    """One entry; -EAGAIN counts only while a fault is handled."""
    flags = walk.flags
    if not flags & (SHARED | TABLE_PRE) and ptep not in vm.entries:
        # All but map ignores empty entries, which cost no step each where nobody shares the walk.
        walk.addr = (walk.addr & -GRANULES[level]) + GRANULES[level]
        return 0
    visit = Visit(ptep, vm.load(ptep), walk.addr, level, flags & SHARED)
    table = visit.old & PTE_TYPE == PTE_TYPE and level < LAST_LEVEL
    if flags & (TABLE_PRE if table else LEAF):
        ret = walk.visit(vm, walk, visit, TABLE_PRE if table else LEAF)
        visit.old = vm.load(ptep)
        table = visit.old & PTE_TYPE == PTE_TYPE and level < LAST_LEVEL
        if not kvm_pgtable_walk_continue(flags, ret):
            return ret
    if not table:
        walk.addr = (walk.addr & -GRANULES[level]) + GRANULES[level]
        return 0
    ret = __kvm_pgtable_walk(vm, walk, visit.old & PTE_ADDRESS, level + 1)
    if flags & TABLE_POST and kvm_pgtable_walk_continue(flags, ret):
        ret = walk.visit(vm, walk, visit, TABLE_POST)
    return 0 if kvm_pgtable_walk_continue(flags, ret) else ret


def kvm_pgtable_walk_continue(flags: int, ret: int) -> bool:
    """Whether what a visit returned lets the walk go on."""
    return not ret or (ret == -EAGAIN and not flags & HANDLE_FAULT)
