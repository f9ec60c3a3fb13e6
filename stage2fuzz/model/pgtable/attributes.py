"""The attribute walker: relax, write-protect, access flag; leaves only, one store each."""

from stage2fuzz.arch import (
    GRANULES,
    PAGE_SIZE,
    PTE_ADDRESS,
    PTE_AF,
    PTE_READ,
    PTE_VALID,
    PTE_WRITE,
    PTE_XN,
)
from stage2fuzz.events import (
    CALL,
    CALL_IS_YOUNG,
    CALL_MKOLD,
    CALL_MKYOUNG,
    CALL_PROT_SHIFT,
    CALL_RELAX,
    CALL_WRPROTECT,
    DSB_ISHST,
    PROT_R,
    PROT_W,
    PROT_X,
    RETURN,
)
from stage2fuzz.model.kvm_pgtable import LEAF
from stage2fuzz.model.machine.maintenance import invalidate_icache_guest_page
from stage2fuzz.model.machine.tlb import kvm_tlb_flush_vmid_ipa
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable.walk import Visitor, Walk, kvm_pgtable_walk


class AttributeWalk(Walk):
    """struct stage2_attr_data: what to set and clear, and what was found last."""

    __slots__ = ("clear", "found", "level", "set")

    def __init__(self, visit: Visitor, addr: int, size: int, set_: int, clear: int) -> None:
        super().__init__(visit, addr, size, LEAF, sparse=True)
        self.set = set_
        self.clear = clear
        self.found = 0
        self.level = 0


def stage2_attr_walker(vm: Vm, walk: AttributeWalk, ptep: int, level: int, _flag: int) -> int:
    """Change one valid leaf; write nothing where nothing changes."""
    pte = walk.loaded
    if not pte & PTE_VALID:
        return 0
    walk.found, walk.level = pte, level
    changed = (pte & ~walk.clear) | walk.set
    if changed != pte:
        if pte & ~changed & PTE_XN and vm.flags.walkers_maintain_caches:
            invalidate_icache_guest_page(vm, pte & PTE_ADDRESS, GRANULES[level])
        vm.store(ptep, changed)
    return 0


def stage2_update_leaf_attrs(vm: Vm, addr: int, size: int, set_: int, clear: int) -> AttributeWalk:
    """Set and clear attributes of the leaves of the range; the walk says what was there."""
    walk = AttributeWalk(stage2_attr_walker, addr, size, set_, clear)
    kvm_pgtable_walk(vm, walk)
    return walk


def kvm_pgtable_stage2_relax_perms(vm: Vm, addr: int, size: int, prot: int) -> int:
    """Grant more on the leaf of ``addr`` and flush it; bits are only ever added.

    An entry that is invalid by now is skipped, flushed all the same, and 0 returned, as v5.10
    does (the level hint is then 0).
    """
    vm.record((CALL, vm.current, addr & -size, size, 0, CALL_RELAX | prot << CALL_PROT_SHIFT))
    set_ = (PTE_READ if prot & PROT_R else 0) | (PTE_WRITE if prot & PROT_W else 0)
    clear = PTE_XN if prot & PROT_X else 0
    walk = stage2_update_leaf_attrs(vm, addr, 1, set_, clear)
    kvm_tlb_flush_vmid_ipa(vm, addr, walk.level)
    vm.record((RETURN, vm.current, addr & -size, size, 0, CALL_RELAX))
    return 0


def kvm_pgtable_stage2_wrprotect(vm: Vm, addr: int, size: int) -> int:
    """Clear W on every leaf of the range; the caller flushes, after it dropped the lock."""
    vm.record((CALL, vm.current, addr, size, 0, CALL_WRPROTECT))
    stage2_update_leaf_attrs(vm, addr, size, 0, PTE_WRITE)
    vm.record((RETURN, vm.current, addr, size, 0, CALL_WRPROTECT))
    return 0


def kvm_pgtable_stage2_mkyoung(vm: Vm, addr: int) -> bool:
    """Set AF on the leaf of ``addr``; no TLBI, since an entry without AF is never cached."""
    vm.record((CALL, vm.current, addr, PAGE_SIZE, 0, CALL_MKYOUNG))
    found = bool(stage2_update_leaf_attrs(vm, addr, 1, PTE_AF, 0).found)
    vm.dsb(DSB_ISHST)
    vm.record((RETURN, vm.current, addr, PAGE_SIZE, int(found), CALL_MKYOUNG))
    return found


def kvm_pgtable_stage2_test_clear_young(vm: Vm, addr: int, _size: int, mkold: bool) -> bool:
    """Two functions until v6.5; each looks at the first leaf alone, however large the range is."""
    return kvm_pgtable_stage2_mkold(vm, addr) if mkold else kvm_pgtable_stage2_is_young(vm, addr)


def kvm_pgtable_stage2_mkold(vm: Vm, addr: int) -> bool:
    """Clear AF on the leaf of ``addr``; whether it was set."""
    vm.record((CALL, vm.current, addr, PAGE_SIZE, 0, CALL_MKOLD))
    young = bool(stage2_update_leaf_attrs(vm, addr, 1, 0, PTE_AF).found & PTE_AF)
    vm.record((RETURN, vm.current, addr, PAGE_SIZE, int(young), CALL_MKOLD))
    return young


def kvm_pgtable_stage2_is_young(vm: Vm, addr: int) -> bool:
    """Whether the leaf of ``addr`` has AF."""
    vm.record((CALL, vm.current, addr, PAGE_SIZE, 0, CALL_IS_YOUNG))
    young = bool(stage2_update_leaf_attrs(vm, addr, 1, 0, 0).found & PTE_AF)
    vm.record((RETURN, vm.current, addr, PAGE_SIZE, int(young), CALL_IS_YOUNG))
    return young
