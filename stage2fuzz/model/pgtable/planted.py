"""Bugs planted in the tables of v5.10 to v6.1; each docstring says what is wrong."""

from stage2fuzz.arch import (
    LAST_LEVEL,
    PAGE_SIZE,
    PTE_ADDRESS,
    PTE_TABLE,
    PTE_VALID,
    PTE_WRITE,
    PTE_XN,
)
from stage2fuzz.events import ORDER_PLAIN, ORDER_RELEASE, WARN, WARN_TABLE_OVER_VALID
from stage2fuzz.model.machine.maintenance import clean_dcache_of_leaf
from stage2fuzz.model.machine.memcache import NO_CACHE, kvm_mmu_memory_cache_alloc
from stage2fuzz.model.machine.tlb import kvm_tlb_flush_vmid, kvm_tlb_flush_vmid_ipa
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.pgtable.attributes import (
    AttributeWalk,
    kvm_pgtable_stage2_relax_perms,
    kvm_pgtable_stage2_wrprotect,
    stage2_update_leaf_attrs,
)
from stage2fuzz.model.pgtable.hyp import hyp_map_walker_try_leaf
from stage2fuzz.model.pgtable.leaf import (
    kvm_block_mapping_supported,
    kvm_init_valid_leaf_pte,
    kvm_set_invalid_pte,
    kvm_set_table_pte,
    release_table,
    stage2_put_pte,
    stage2_set_prot_attr,
)
from stage2fuzz.model.pgtable.mapping import (
    MapWalk,
    stage2_map_walk_leaf,
    stage2_map_walk_table_post,
    stage2_map_walk_table_pre,
    stage2_map_walker_try_leaf,
    write_block,
)
from stage2fuzz.model.pgtable.permission_only import rewrite_leaf, set_valid_leaf
from stage2fuzz.model.pgtable.unmapping import kvm_pgtable_stage2_unmap, stage2_unmap_walker
from stage2fuzz.model.pgtable.walk import Walk, kvm_pgtable_walk
from stage2fuzz.model.planted import KernelFunction, nothing, spoil

spoil("relax_without_tlbi", kvm_tlb_flush_vmid_ipa, (kvm_pgtable_stage2_relax_perms,))(nothing)


@spoil("relax_flushes_the_next_page", kvm_tlb_flush_vmid_ipa, (kvm_pgtable_stage2_relax_perms,))
def relax_flushes_the_next_page(target: KernelFunction, vm: Vm, ipa: int, level: int) -> None:
    """The page after the one that was changed is flushed."""
    target(vm, ipa + PAGE_SIZE, level)


spoil("free_before_flush", kvm_tlb_flush_vmid, (stage2_map_walk_table_pre,))(nothing)
spoil("collapse_leaks_the_child", release_table, (stage2_map_walk_table_post,))(nothing)


@spoil("no_break_on_remap", stage2_put_pte, (stage2_map_walk_leaf, stage2_map_walker_try_leaf))
def put_without_break(
    _target: KernelFunction, vm: Vm, ptep: int, _pte: int, _addr: int, _level: int
) -> None:
    """The old entry is not made invalid and not flushed before the new one is written."""
    vm.put_page(ptep)


@spoil("no_break_on_remap", set_valid_leaf)
def write_over_a_valid_leaf(
    target: KernelFunction, vm: Vm, ptep: int, old: int, phys: int, attr: int, level: int
) -> bool:
    """The same in v5.10, which finds the valid leaf where it wants to write."""
    if not target(vm, ptep, old, phys, attr, level):
        vm.store(ptep, kvm_init_valid_leaf_pte(phys, attr, level), ORDER_RELEASE)
    return True


@spoil("count_kept_on_rewrite", stage2_put_pte, (stage2_map_walker_try_leaf,))
def break_without_put(
    _target: KernelFunction, vm: Vm, ptep: int, pte: int, addr: int, level: int
) -> None:
    """The reference of the old entry is never dropped."""
    kvm_set_invalid_pte(vm, ptep, pte)
    kvm_tlb_flush_vmid_ipa(vm, addr, level)


@spoil("count_kept_on_rewrite", rewrite_leaf)
def rewrite_without_put(
    _target: KernelFunction,
    vm: Vm,
    ptep: int,
    old: int,
    addr: int,
    phys: int,
    attr: int,
    level: int,
) -> None:
    """The same in v5.10."""
    if not set_valid_leaf(vm, ptep, old, phys, attr, level):
        kvm_set_invalid_pte(vm, ptep, old)
        kvm_tlb_flush_vmid_ipa(vm, addr, level)
        set_valid_leaf(vm, ptep, vm.load(ptep), phys, attr, level)
    vm.get_page(ptep)


@spoil("count_dropped_twice", stage2_put_pte, (stage2_map_walker_try_leaf,))
def put_twice(target: KernelFunction, vm: Vm, ptep: int, pte: int, addr: int, level: int) -> None:
    """One reference too many is dropped."""
    target(vm, ptep, pte, addr, level)
    vm.put_page(ptep)


@spoil("count_dropped_twice", rewrite_leaf)
def rewrite_after_a_put(
    target: KernelFunction, vm: Vm, ptep: int, old: int, addr: int, phys: int, attr: int, level: int
) -> None:
    """The same in v5.10."""
    if old & PTE_VALID:
        vm.put_page(ptep)
    target(vm, ptep, old, addr, phys, attr, level)


@spoil("plain_table_link", kvm_set_table_pte)
def plain_table_link(_target: KernelFunction, vm: Vm, ptep: int, child: int) -> None:
    """The link is no store-release, so walkers may see it before the table's zeroes."""
    if vm.load(ptep) & PTE_VALID:
        vm.record((WARN, vm.current, 0, 0, 0, WARN_TABLE_OVER_VALID))
    vm.store(ptep, child | PTE_TABLE | PTE_VALID, ORDER_PLAIN)


@spoil("link_before_zeroing", kvm_mmu_memory_cache_alloc, (stage2_map_walk_leaf,))
def alloc_without_zeroing(_target: KernelFunction, vm: Vm, cache: int) -> int:
    """The new table holds junk still."""
    if cache == NO_CACHE:
        return 0
    vm.caches[cache] = max(0, vm.caches[cache] - 1)
    return vm.alloc_page(zero=False)


@spoil("link_before_zeroing", kvm_set_table_pte, (stage2_map_walk_leaf,))
def link_before_zeroing(target: KernelFunction, vm: Vm, ptep: int, child: int) -> None:
    """It is zeroed when it is linked already."""
    target(vm, ptep, child)
    vm.zero_page(child)


@spoil("relax_drops_a_bit", stage2_update_leaf_attrs, (kvm_pgtable_stage2_relax_perms,))
def relax_drops_a_bit(
    target: KernelFunction, vm: Vm, addr: int, size: int, set_: int, clear: int
) -> AttributeWalk:
    """Whoever gets execute permission loses write permission."""
    if clear & PTE_XN:
        set_, clear = set_ & ~PTE_WRITE, clear | PTE_WRITE
    walk: AttributeWalk = target(vm, addr, size, set_, clear)
    return walk


@spoil("wrprotect_skips_a_page", stage2_update_leaf_attrs, (kvm_pgtable_stage2_wrprotect,))
def wrprotect_skips_a_page(
    target: KernelFunction, vm: Vm, addr: int, size: int, set_: int, clear: int
) -> AttributeWalk:
    """The last page of the range stays writable."""
    walk: AttributeWalk = target(vm, addr, size - PAGE_SIZE, set_, clear)
    return walk


@spoil("unmap_skips_a_page", kvm_pgtable_walk, (kvm_pgtable_stage2_unmap,))
def unmap_skips_a_page(target: KernelFunction, vm: Vm, walk: Walk) -> int:
    """The first page of the range stays mapped."""
    walk.addr += PAGE_SIZE
    ret: int = target(vm, walk)
    return ret


spoil("unmap_without_dcache_clean", clean_dcache_of_leaf, (stage2_unmap_walker,))(nothing)


@spoil("unmap_without_tlbi", stage2_put_pte, (stage2_unmap_walker,))
def put_without_tlbi(
    _target: KernelFunction, vm: Vm, ptep: int, pte: int, _addr: int, _level: int
) -> None:
    """What is unmapped stays in the TLBs."""
    kvm_set_invalid_pte(vm, ptep, pte)
    vm.put_page(ptep)


@spoil("free_before_flush", write_block, (stage2_map_walk_table_post,))
def flush_after_the_frees(
    target: KernelFunction, vm: Vm, walk: MapWalk, ptep: int, level: int
) -> int:
    """A walk in flight still reads the tables that are freed."""
    kvm_tlb_flush_vmid(vm)
    ret: int = target(vm, walk, ptep, level)
    return ret


@spoil("collapse_flushes_by_ipa", stage2_map_walk_table_pre)
def collapse_flushes_by_ipa(
    _target: KernelFunction, vm: Vm, walk: MapWalk, ptep: int, level: int
) -> int:
    """One IPA is flushed where a whole table of leaves goes."""
    if walk.anchor or not kvm_block_mapping_supported(walk.addr, walk.end, walk.phys, level):
        return 0
    walk.child = walk.loaded & PTE_ADDRESS
    kvm_set_invalid_pte(vm, ptep, walk.loaded)
    kvm_tlb_flush_vmid_ipa(vm, walk.addr, level)
    walk.anchor, walk.sparse = ptep, True
    return 0


@spoil("hyp_rewrites_in_place", hyp_map_walker_try_leaf)
def hyp_rewrites_in_place(_target: KernelFunction, vm: Vm, ptep: int, phys: int, prot: int) -> int:
    """A valid hyp entry is replaced without a word."""
    attr = stage2_set_prot_attr(prot)
    vm.store(ptep, kvm_init_valid_leaf_pte(phys, attr, LAST_LEVEL), ORDER_RELEASE)
    return 0
