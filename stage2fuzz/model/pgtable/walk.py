"""kvm_pgtable_walk of v5.10: depth first, the entry loaded again after a leaf visit.

The software walker's rules matter to races: it descends through the value it loaded *before* a
TABLE_PRE visit (so a detached subtree is still walked), and through the value it loads *after* a
LEAF visit (so a table that the visit installed is entered).
"""

from collections.abc import Callable
from typing import Any

from stage2fuzz.arch import (
    ENTRIES,
    ENTRY_SIZE,
    GRANULES,
    LAST_LEVEL,
    PTE_ADDRESS,
    PTE_TYPE,
    SHIFTS,
)
from stage2fuzz.events import EINVAL, ERANGE
from stage2fuzz.model.kvm_pgtable import LEAF, TABLE_POST, TABLE_PRE
from stage2fuzz.model.machine.vm import Vm

Visitor = Callable[[Vm, Any, int, int, int], int]
"""(vm, walk, ptep, level, flag) -> 0, or a negative errno that stops the walk. A visitor knows the
class of its own walk and does not ask for each entry."""


class Walk:
    """struct kvm_pgtable_walk_data: the range that is left, and what to call."""

    __slots__ = ("addr", "detached", "end", "flags", "loaded", "sparse", "visit")

    def __init__(
        self, visit: Visitor, addr: int, size: int, flags: int, sparse: bool = False
    ) -> None:
        """``sparse`` says that the visitor ignores empty entries: those of a whole slot are
        passed over without a step each, since under mmu_lock nobody could change them."""
        self.addr = addr
        self.end = addr + size
        self.visit = visit
        self.flags = flags
        self.sparse = sparse
        self.detached = False
        """The tables are unpublished already: only their destruction still walks them."""
        self.loaded = 0
        """The value of the entry under the visitor: the plain loads of one visit are one load,
        as a compiler makes of them, unless something in between could change the entry."""


def kvm_pgtable_walk(vm: Vm, walk: Walk) -> int:
    """Visit [addr, end); the first nonzero result of a visit stops it and is returned."""
    if walk.addr >> vm.options.ipa_bits or (walk.end - 1) >> vm.options.ipa_bits:
        return -ERANGE
    if not vm.mapped and not walk.detached:
        return -EINVAL
    level = vm.start_level
    shift = SHIFTS[level]
    while walk.addr < walk.end:
        ret = __kvm_pgtable_visit(vm, walk, vm.root + (walk.addr >> shift) * ENTRY_SIZE, level)
        if ret:
            return ret
    return 0


def __kvm_pgtable_walk(vm: Vm, walk: Walk, table: int, level: int) -> int:
    """The entries of one table page that the range covers."""
    shift, size = SHIFTS[level], GRANULES[level]
    index, end, entries = (walk.addr >> shift) & (ENTRIES - 1), walk.end, vm.entries
    while index < ENTRIES and walk.addr < end:
        ptep = table + index * ENTRY_SIZE
        index += 1
        if walk.sparse and ptep not in entries:
            # Here and not in the visit: a walk of a whole slot passes over hundreds of them.
            walk.addr = (walk.addr & -size) + size
            continue
        ret = __kvm_pgtable_visit(vm, walk, ptep, level)
        if ret:
            return ret
    return 0


def __kvm_pgtable_visit(vm: Vm, walk: Walk, ptep: int, level: int) -> int:
    """One entry: before the tables below it, as a leaf, after the tables below it."""
    if walk.sparse and ptep not in vm.entries:
        walk.addr = (walk.addr & -GRANULES[level]) + GRANULES[level]
        return 0
    pte = walk.loaded = vm.load(ptep)
    table = pte & PTE_TYPE == PTE_TYPE and level < LAST_LEVEL
    flags = walk.flags
    if table:
        if flags & TABLE_PRE:
            ret = walk.visit(vm, walk, ptep, level, TABLE_PRE)
            if ret:
                return ret
    elif flags & LEAF:
        ret = walk.visit(vm, walk, ptep, level, LEAF)
        if ret:
            return ret
        pte = vm.load(ptep)
        table = pte & PTE_TYPE == PTE_TYPE and level < LAST_LEVEL
    if not table:
        walk.addr = (walk.addr & -GRANULES[level]) + GRANULES[level]
        return 0
    entered = walk.addr
    ret = __kvm_pgtable_walk(vm, walk, pte & PTE_ADDRESS, level + 1)
    if ret or not flags & TABLE_POST:
        return ret
    left, walk.addr = walk.addr, entered
    ret = walk.visit(vm, walk, ptep, level, TABLE_POST)
    walk.addr = left
    return ret
