"""The attribute walkers from v6.2 on: relax and mkyoung beside other faults, the rest alone."""

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
    EAGAIN,
    PROT_R,
    PROT_W,
    PROT_X,
    RETURN,
)
from stage2fuzz.model.kvm_pgtable import HANDLE_FAULT, LEAF, SHARED
from stage2fuzz.model.machine.maintenance import invalidate_icache_guest_page
from stage2fuzz.model.machine.tlb import NO_HINT, kvm_tlb_flush_vmid_ipa_nsh
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable_shared.entries import stage2_try_set_pte
from stage2fuzz.model.pgtable_shared.walk import SharedVisitor, SharedWalk, Visit, kvm_pgtable_walk


class SharedAttributeWalk(SharedWalk):
    """struct stage2_attr_data: what to set and clear, and what was found last."""

    __slots__ = ("clear", "found", "level", "set")

    def __init__(
        self, visit: SharedVisitor, addr: int, size: int, set_: int, clear: int, flags: int
    ) -> None:
        super().__init__(visit, addr, size, LEAF | flags)
        self.set = set_
        self.clear = clear
        self.found = 0
        self.level = NO_HINT


def stage2_attr_walker(vm: Vm, walk: SharedAttributeWalk, visit: Visit, _flag: int) -> int:
    """Change one valid leaf; -EAGAIN where none is, or where somebody else changed it."""
    old = visit.old
    if not old & PTE_VALID:
        return -EAGAIN
    walk.found, walk.level = old, visit.level
    new = (old & ~walk.clear) | walk.set
    if new == old:
        return 0
    if old & ~new & PTE_XN:
        invalidate_icache_guest_page(vm, new & PTE_ADDRESS, GRANULES[visit.level])
    return 0 if stage2_try_set_pte(vm, visit, new) else -EAGAIN


def stage2_update_leaf_attrs(
    vm: Vm, addr: int, size: int, set_: int, clear: int, flags: int
) -> tuple[int, SharedAttributeWalk]:
    """Set and clear attributes of the leaves of the range: 0 or an errno, and what was there."""
    walk = SharedAttributeWalk(stage2_attr_walker, addr, size, set_, clear, flags)
    return kvm_pgtable_walk(vm, walk), walk


def kvm_pgtable_stage2_relax_perms(vm: Vm, addr: int, size: int, prot: int) -> int:
    """Grant more on the leaf of ``addr``: 0 or -EAGAIN.

    The flush is local. In v6.12 it follows in either case: whoever lost to another vCPU's grant may
    hold the narrower entry still, and nobody else will flush it for him.
    """
    vm.record((CALL, vm.current, addr & -size, size, 0, CALL_RELAX | prot << CALL_PROT_SHIFT))
    set_ = (PTE_READ if prot & PROT_R else 0) | (PTE_WRITE if prot & PROT_W else 0)
    clear = PTE_XN if prot & PROT_X else 0
    ret, walk = stage2_update_leaf_attrs(vm, addr, 1, set_, clear, HANDLE_FAULT | SHARED)
    lost = ret == -EAGAIN
    if not ret or (lost and vm.flags.lost_relax_flushes):
        kvm_tlb_flush_vmid_ipa_nsh(vm, addr, NO_HINT if lost else walk.level)
    vm.record((RETURN, vm.current, addr & -size, size, ret, CALL_RELAX))
    return ret


def kvm_pgtable_stage2_wrprotect(vm: Vm, addr: int, size: int) -> int:
    """Clear W on every leaf of the range, alone; the caller flushes, after it dropped the lock."""
    vm.record((CALL, vm.current, addr, size, 0, CALL_WRPROTECT))
    ret, _ = stage2_update_leaf_attrs(vm, addr, size, 0, PTE_WRITE, 0)
    vm.record((RETURN, vm.current, addr, size, ret, CALL_WRPROTECT))
    return ret


def kvm_pgtable_stage2_mkyoung(vm: Vm, addr: int) -> bool:
    """Set AF on the leaf of ``addr``; no TLBI, since an entry without AF is never cached."""
    vm.record((CALL, vm.current, addr, PAGE_SIZE, 0, CALL_MKYOUNG))
    ret, walk = stage2_update_leaf_attrs(vm, addr, 1, PTE_AF, 0, HANDLE_FAULT | SHARED)
    if not ret:
        vm.dsb(DSB_ISHST)
    found = not ret and walk.found != 0
    vm.record((RETURN, vm.current, addr, PAGE_SIZE, int(found), CALL_MKYOUNG))
    return found


class AgeWalk(SharedWalk):
    """struct stage2_age_data."""

    __slots__ = ("mkold", "young")

    def __init__(self, visit: SharedVisitor, addr: int, size: int, mkold: bool) -> None:
        super().__init__(visit, addr, size, LEAF)
        self.mkold = mkold
        self.young = False


def stage2_age_walker(vm: Vm, walk: AgeWalk, visit: Visit, _flag: int) -> int:
    """Take AF from a young leaf, or only see that it is young; the core flushes, if anyone."""
    old = visit.old
    if not old & PTE_VALID or not old & PTE_AF:
        return 0
    walk.young = True
    if walk.mkold and not stage2_try_set_pte(vm, visit, old & ~PTE_AF):
        return -EAGAIN
    return 0


def kvm_pgtable_stage2_test_clear_young(vm: Vm, addr: int, size: int, mkold: bool) -> bool:
    """Whether any leaf of the range has AF; with ``mkold`` it loses it."""
    code = CALL_MKOLD if mkold else CALL_IS_YOUNG
    vm.record((CALL, vm.current, addr, size, 0, code))
    walk = AgeWalk(stage2_age_walker, addr, size, mkold)
    kvm_pgtable_walk(vm, walk)
    vm.record((RETURN, vm.current, addr, size, int(walk.young), code))
    return walk.young
