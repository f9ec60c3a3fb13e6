"""Bugs planted in the tables from v6.2 on; each docstring says what is wrong."""

from collections.abc import Callable

from stage2fuzz.arch import LAST_LEVEL, PTE_AF, PTE_READ, PTE_TYPE, PTE_VALID
from stage2fuzz.events import FREE_DEFERRED, ORDER_PLAIN, WARN, WARN_OTHER
from stage2fuzz.model.machine.maintenance import clean_dcache_of_leaf
from stage2fuzz.model.machine.rcu import call_rcu
from stage2fuzz.model.machine.tlb import (
    kvm_tlb_flush_vmid_ipa,
    kvm_tlb_flush_vmid_ipa_nsh,
    kvm_tlb_flush_vmid_range,
)
from stage2fuzz.model.machine.vm import SPLIT_CACHE, Vm
from stage2fuzz.model.pgtable_shared.attributes import (
    SharedAttributeWalk,
    kvm_pgtable_stage2_relax_perms,
    kvm_pgtable_stage2_wrprotect,
    stage2_attr_walker,
    stage2_update_leaf_attrs,
)
from stage2fuzz.model.pgtable_shared.entries import (
    stage2_make_pte,
    stage2_pte_is_locked,
    stage2_try_break_pte,
    stage2_try_set_pte,
)
from stage2fuzz.model.pgtable_shared.mapping import stage2_map_walk_table_pre
from stage2fuzz.model.pgtable_shared.split import (
    kvm_pgtable_stage2_split,
    stage2_split_walker,
)
from stage2fuzz.model.pgtable_shared.unmapping import (
    kvm_pgtable_stage2_unmap,
    stage2_unmap_put_pte,
    stage2_unmap_walker,
)
from stage2fuzz.model.pgtable_shared.walk import SharedWalk, Visit
from stage2fuzz.model.planted import KernelFunction, nothing, spoil, spoil_flags

spoil("relax_without_tlbi", kvm_tlb_flush_vmid_ipa_nsh, (kvm_pgtable_stage2_relax_perms,))(nothing)
spoil_flags("refused_relax_without_tlbi", kvm_pgtable_stage2_relax_perms, lost_relax_flushes=False)
spoil("unmap_without_dcache_clean", clean_dcache_of_leaf, (stage2_unmap_walker,))(nothing)
spoil("unmap_without_tlbi", kvm_tlb_flush_vmid_ipa, (stage2_unmap_put_pte,))(nothing)
spoil("unmap_without_tlbi", kvm_tlb_flush_vmid_range, (kvm_pgtable_stage2_unmap,))(nothing)


@spoil("plain_store_while_shared", stage2_try_set_pte)
def plain_store_while_shared(_target: KernelFunction, vm: Vm, visit: Visit, new: int) -> bool:
    """What another walker wrote meanwhile is overwritten."""
    vm.store(visit.ptep, new)
    return True


@spoil("plain_table_link", stage2_make_pte)
def plain_table_link(_target: KernelFunction, vm: Vm, visit: Visit, new: int) -> None:
    """The new value is no store-release, so walkers may see it before the table's zeroes."""
    _take(vm, visit)
    vm.store(visit.ptep, new, ORDER_PLAIN)


@spoil("locked_marker_stays", stage2_make_pte)
def locked_marker_stays(_target: KernelFunction, vm: Vm, visit: Visit, _new: int) -> None:
    """The entry is never released."""
    _take(vm, visit)


def _take(vm: Vm, visit: Visit) -> None:
    """What stage2_make_pte does before it stores."""
    if not stage2_pte_is_locked(vm.load(visit.ptep)):
        vm.record((WARN, vm.current, 0, 0, 0, WARN_OTHER))
    vm.get_page(visit.ptep)


@spoil("child_freed_at_once", call_rcu, (stage2_map_walk_table_pre,))
def child_freed_at_once(
    _target: KernelFunction, _vm: Vm, _page: int, free: Callable[[], None]
) -> None:
    """Walkers that are inside the table still read what is freed."""
    free()


@spoil("deferred_free_frees_nothing", call_rcu, (stage2_map_walk_table_pre,))
def deferred_free_frees_nothing(
    _target: KernelFunction, vm: Vm, page: int, _free: Callable[[], None]
) -> None:
    """The grace period ends, and nobody frees the table."""
    vm.record((FREE_DEFERRED, vm.current, page, 0, 0, 0))


@spoil("entry_below_a_table_unlinked", call_rcu, (stage2_map_walk_table_pre,))
def entry_below_a_table_unlinked(
    target: KernelFunction, vm: Vm, page: int, free: Callable[[], None]
) -> None:
    """Whoever put a block in the place of a table goes on in that table."""
    vm.get_page(page)
    vm.store(page, PTE_AF | PTE_READ | PTE_TYPE | PTE_VALID)
    target(vm, page, free)


@spoil("relax_of_nothing_succeeds", stage2_attr_walker)
def relax_of_nothing_succeeds(
    target: KernelFunction, vm: Vm, walk: SharedAttributeWalk, visit: Visit, flag: int
) -> int:
    """Where there is no leaf any more, there is nothing to do."""
    ret: int = target(vm, walk, visit, flag) if visit.old & PTE_VALID else 0
    return ret


@spoil("wrprotect_of_nothing", stage2_update_leaf_attrs, (kvm_pgtable_stage2_wrprotect,))
def wrprotect_of_nothing(
    target: KernelFunction, vm: Vm, addr: int, _size: int, set_: int, clear: int, flags: int
) -> tuple[int, SharedAttributeWalk]:
    """The range is empty."""
    walk: tuple[int, SharedAttributeWalk] = target(vm, addr, 0, set_, clear, flags)
    return walk


@spoil("split_breaks_first", stage2_try_break_pte, (stage2_split_walker,))
def was_broken_first(_target: KernelFunction, _vm: Vm, _visit: Visit) -> bool:
    """What ``split_breaks_first`` has done."""
    return True


@spoil("split_breaks_first", stage2_split_walker, (kvm_pgtable_stage2_split,))
def split_breaks_first(
    target: KernelFunction, vm: Vm, walk: SharedWalk, visit: Visit, flag: int
) -> int:
    """The block is broken before its table is there, and stays so where there is no page for it."""
    if visit.level != LAST_LEVEL and visit.old & PTE_VALID and vm.caches[SPLIT_CACHE]:
        _break(vm, visit)
    ret: int = target(vm, walk, visit, flag)
    return ret


def _break(vm: Vm, visit: Visit) -> None:
    """The kernel's own break."""
    stage2_try_break_pte(vm, visit)
