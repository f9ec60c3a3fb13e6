"""kvm_pgtable_walk of v5.10: depth first, the entry loaded again after a leaf visit.

The software walker's rules matter to races: it descends through the value it loaded *before* a
TABLE_PRE visit (so a detached subtree is still walked), and through the value it loads *after* a
LEAF visit (so a table that the visit installed is entered).
"""

from collections.abc import Callable
from typing import Any, Final

from stage2fuzz.arch import ENTRIES, LAST_LEVEL, PTE_ADDRESS, PTE_TABLE, PTE_VALID, granule
from stage2fuzz.events import EINVAL, ERANGE
from stage2fuzz.model.machine.vm import Vm

LEAF: Final = 1
TABLE_PRE: Final = 2
TABLE_POST: Final = 4
GRANULES: Final = tuple(granule(level) for level in range(LAST_LEVEL + 1))
SHIFTS: Final = tuple(12 + 9 * (LAST_LEVEL - level) for level in range(LAST_LEVEL + 1))
_TABLE: Final = PTE_VALID | PTE_TABLE

Visitor = Callable[[Vm, Any, int, int, int], int]
"""(vm, walk, ptep, level, flag) -> 0, or a negative errno that stops the walk. A visitor knows the
class of its own walk and does not ask for each entry."""


class Walk:
    """struct kvm_pgtable_walk_data: the range that is left, and what to call."""

    __slots__ = ("addr", "detached", "end", "flags", "loaded", "sparse", "visit")

    def __init__(
        self, addr: int, size: int, visit: Visitor, flags: int, sparse: bool = False
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
        ret = _visit(vm, walk, vm.root + (walk.addr >> shift) * 8, level)
        if ret:
            return ret
    return 0


def walk_table(vm: Vm, walk: Walk, table: int, level: int) -> int:
    """__kvm_pgtable_walk: the entries of one table page that the range covers."""
    shift, size = SHIFTS[level], GRANULES[level]
    index = (walk.addr >> shift) & (ENTRIES - 1)
    while index < ENTRIES and walk.addr < walk.end:
        ptep = table + index * 8
        index += 1
        if walk.sparse and ptep not in vm.entries:
            # Here and not in _visit: a walk of a whole slot passes over hundreds of them.
            walk.addr = (walk.addr & -size) + size
            continue
        ret = _visit(vm, walk, ptep, level)
        if ret:
            return ret
    return 0


def _visit(vm: Vm, walk: Walk, ptep: int, level: int) -> int:
    """__kvm_pgtable_visit: one entry."""
    if walk.sparse and ptep not in vm.entries:
        walk.addr = (walk.addr & -GRANULES[level]) + GRANULES[level]
        return 0
    pte = walk.loaded = vm.load(ptep)
    table = pte & _TABLE == _TABLE and level < LAST_LEVEL
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
        table = pte & _TABLE == _TABLE and level < LAST_LEVEL
    if not table:
        walk.addr = (walk.addr & -GRANULES[level]) + GRANULES[level]
        return 0
    entered = walk.addr
    ret = walk_table(vm, walk, pte & PTE_ADDRESS, level + 1)
    if ret or not flags & TABLE_POST:
        return ret
    left, walk.addr = walk.addr, entered
    ret = walk.visit(vm, walk, ptep, level, TABLE_POST)
    walk.addr = left
    return ret
