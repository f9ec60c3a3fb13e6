"""kvm_pgtable_walk of v6.12: several walks at once, each visit deciding on one load of its entry.

A visitor's decisions rest on ``Visit.old`` alone and reach the table by compare-and-exchange, so a
walk that lost a race learns it there. Table pages stay until the walk ends: it is an RCU reader.
"""

from collections.abc import Callable
from typing import Any, Final

from stage2fuzz.arch import ENTRIES, LAST_LEVEL, PTE_ADDRESS, PTE_TABLE, PTE_VALID
from stage2fuzz.events import EAGAIN, EINVAL, ERANGE
from stage2fuzz.model.machine.rcu import rcu_read_lock, rcu_read_unlock
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable.walk import GRANULES, LEAF, SHIFTS, TABLE_POST, TABLE_PRE

SHARED: Final = 8
"""KVM_PGTABLE_WALK_SHARED: others walk at the same time."""
HANDLE_FAULT: Final = 16
"""KVM_PGTABLE_WALK_HANDLE_FAULT: -EAGAIN ends the walk and lets the guest try again."""
_TABLE: Final = PTE_VALID | PTE_TABLE


class Visit:
    """struct kvm_pgtable_visit_ctx: one entry as it was when the walk came by."""

    __slots__ = ("addr", "level", "old", "ptep", "shared")

    def __init__(self, ptep: int, old: int, addr: int, level: int, shared: int) -> None:
        self.ptep, self.old, self.addr, self.level, self.shared = ptep, old, addr, level, shared


Visitor = Callable[[Vm, Any, Visit, int], int]
"""(vm, walk, visit, flag) -> 0 or a negative errno."""


class SharedWalk:
    """struct kvm_pgtable_walk_data and its walker: the range, and what to call."""

    __slots__ = ("addr", "end", "flags", "start", "visit")

    def __init__(self, addr: int, size: int, visit: Visitor, flags: int) -> None:
        """[addr, addr + size) in whole pages."""
        self.start = self.addr = addr & -4096
        self.end = self.start + (size + 4095 & -4096)
        self.visit = visit
        self.flags = flags


def kvm_pgtable_walk(vm: Vm, walk: SharedWalk) -> int:
    """Visit the range; the first error that counts stops the walk and is returned."""
    shared = walk.flags & SHARED
    if shared:
        rcu_read_lock(vm)
    ret = _walk_root(vm, walk)
    if shared:
        rcu_read_unlock(vm)
    return ret


def _walk_root(vm: Vm, walk: SharedWalk) -> int:
    limit = 1 << vm.options.ipa_bits
    if walk.addr > limit or walk.end > limit:
        return -ERANGE
    if not vm.mapped:
        return -EINVAL
    level = vm.start_level
    while walk.addr < walk.end:
        ret = _visit(vm, walk, vm.root + (walk.addr >> SHIFTS[level]) * 8, level)
        if ret:
            return ret
    return 0


def _walk_table(vm: Vm, walk: SharedWalk, table: int, level: int) -> int:
    index = (walk.addr >> SHIFTS[level]) & (ENTRIES - 1)
    while index < ENTRIES and walk.addr < walk.end:
        ret = _visit(vm, walk, table + index * 8, level)
        if ret:
            return ret
        index += 1
    return 0


def _visit(vm: Vm, walk: SharedWalk, ptep: int, level: int) -> int:
    """__kvm_pgtable_visit: one entry; -EAGAIN counts only while a fault is handled."""
    flags = walk.flags
    if not flags & (SHARED | TABLE_PRE) and ptep not in vm.entries:
        # All but map ignores empty entries, which cost no step each where nobody shares the walk.
        walk.addr = (walk.addr & -GRANULES[level]) + GRANULES[level]
        return 0
    visit = Visit(ptep, vm.load(ptep), walk.addr, level, flags & SHARED)
    table = visit.old & _TABLE == _TABLE and level < LAST_LEVEL
    if flags & (TABLE_PRE if table else LEAF):
        ret = walk.visit(vm, walk, visit, TABLE_PRE if table else LEAF)
        visit.old = vm.load(ptep)
        table = visit.old & _TABLE == _TABLE and level < LAST_LEVEL
        if _stops(flags, ret):
            return ret
    if not table:
        walk.addr = (walk.addr & -GRANULES[level]) + GRANULES[level]
        return 0
    ret = _walk_table(vm, walk, visit.old & PTE_ADDRESS, level + 1)
    if not _stops(flags, ret) and flags & TABLE_POST:
        ret = walk.visit(vm, walk, visit, TABLE_POST)
    return ret if _stops(flags, ret) else 0


def _stops(flags: int, ret: int) -> bool:
    """kvm_pgtable_walk_continue, the other way round."""
    return ret != 0 and (ret != -EAGAIN or bool(flags & HANDLE_FAULT))
