"""kvm_pgtable_stage2_split, from v6.5 on: blocks become tables of smaller leaves.

The page table that replaces a block is filled where nobody can see it, so it needs neither flush
nor cache maintenance; only the entry that links it is broken.
"""

from stage2fuzz.arch import (
    ENTRIES,
    ENTRY_SIZE,
    GRANULES,
    LAST_LEVEL,
    PTE_ADDRESS,
    PTE_LOCKED,
    PTE_READ,
    PTE_TABLE,
    PTE_VALID,
    PTE_WRITE,
    PTE_XN,
)
from stage2fuzz.events import (
    CALL,
    CALL_SPLIT,
    DSB_ISHST,
    EAGAIN,
    ENOMEM,
    ORDER_RELEASE,
    PROT_R,
    PROT_W,
    PROT_X,
    RETURN,
)
from stage2fuzz.model.kvm_pgtable import LEAF
from stage2fuzz.model.machine.memcache import kvm_mmu_memory_cache_alloc
from stage2fuzz.model.machine.vm import SPLIT_CACHE, Vm
from stage2fuzz.model.pgtable.leaf import kvm_init_valid_leaf_pte, stage2_set_prot_attr
from stage2fuzz.model.pgtable_shared.entries import stage2_make_pte, stage2_try_break_pte
from stage2fuzz.model.pgtable_shared.walk import SharedWalk, Visit, kvm_pgtable_walk


def kvm_pgtable_stage2_split(vm: Vm, addr: int, size: int) -> int:
    """Replace the blocks of the range by tables: 0, or -ENOMEM where the cache is empty."""
    vm.record((CALL, vm.current, addr, size, 0, CALL_SPLIT))
    ret = kvm_pgtable_walk(vm, SharedWalk(stage2_split_walker, addr, size, LEAF))
    vm.dsb(DSB_ISHST)
    vm.record((RETURN, vm.current, addr, size, ret, CALL_SPLIT))
    return ret


def stage2_split_walker(vm: Vm, _walk: SharedWalk, visit: Visit, _flag: int) -> int:
    """Link a table of smaller leaves in place of a valid block."""
    if visit.level == LAST_LEVEL or not visit.old & PTE_VALID:
        return 0
    if not vm.caches[SPLIT_CACHE]:
        return -ENOMEM
    child = kvm_pgtable_stage2_create_unlinked(vm, visit.old, visit.level)
    if not child:
        return -ENOMEM
    if not stage2_try_break_pte(vm, visit):
        return -EAGAIN
    stage2_make_pte(vm, visit, child | PTE_TABLE | PTE_VALID)
    return 0


def kvm_pgtable_stage2_create_unlinked(vm: Vm, block: int, level: int) -> int:
    """A table of leaves, one level down, that map what ``block`` maps, with its permissions; 0
    where there is no page.

    The real one maps in the private table as a fault would, so each entry is taken first.
    """
    attr = stage2_set_prot_attr(kvm_pgtable_stage2_pte_prot(block), vm.options.fwb)
    table = kvm_mmu_memory_cache_alloc(vm, SPLIT_CACHE)
    if not table:
        return 0
    for index in range(ENTRIES):
        ptep = table + ENTRY_SIZE * index
        phys = (block & PTE_ADDRESS) + index * GRANULES[level + 1]
        vm.store(ptep, PTE_LOCKED)
        vm.get_page(ptep)
        vm.store(ptep, kvm_init_valid_leaf_pte(phys, attr, level + 1), ORDER_RELEASE)
    return table


def kvm_pgtable_stage2_pte_prot(pte: int) -> int:
    """The PROT_* flags of a leaf; its memory type is not among them."""
    prot = (PROT_R if pte & PTE_READ else 0) | (PROT_W if pte & PTE_WRITE else 0)
    return prot if pte & PTE_XN else prot | PROT_X
