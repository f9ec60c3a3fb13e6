"""Leaf writers: values of entries, and the two ways of storing them that patch 1 tells apart."""

from stage2fuzz.arch import (
    GRANULES,
    LAST_LEVEL,
    PAGE_MASK,
    PTE_AF,
    PTE_INNER_SHAREABLE,
    PTE_MEMATTR_DEVICE,
    PTE_MEMATTR_FWB_NORMAL,
    PTE_MEMATTR_NORMAL,
    PTE_PERMISSIONS,
    PTE_READ,
    PTE_TABLE,
    PTE_VALID,
    PTE_WRITE,
    PTE_XN,
)
from stage2fuzz.events import (
    ORDER_RELEASE,
    PROT_DEVICE,
    PROT_R,
    PROT_W,
    PROT_X,
    WARN,
    WARN_TABLE_OVER_VALID,
)
from stage2fuzz.model.machine.tlb import kvm_tlb_flush_vmid_ipa
from stage2fuzz.model.machine.vm import Vm


def stage2_set_prot_attr(prot: int, fwb: bool = False) -> int:
    """The attribute bits of a stage-2 leaf for PROT_* flags, on a CPU with or without FWB."""
    normal = PTE_MEMATTR_FWB_NORMAL if fwb else PTE_MEMATTR_NORMAL
    attr = PTE_MEMATTR_DEVICE if prot & PROT_DEVICE else normal
    if not prot & PROT_X:
        attr |= PTE_XN
    if prot & PROT_R:
        attr |= PTE_READ
    if prot & PROT_W:
        attr |= PTE_WRITE
    return attr | PTE_INNER_SHAREABLE | PTE_AF


def kvm_init_valid_leaf_pte(phys: int, attr: int, level: int) -> int:
    """The valid leaf for ``phys`` at ``level``; a pure constructor."""
    kind = PTE_TABLE if level == LAST_LEVEL else 0
    return (phys & PAGE_MASK) | attr | kind | PTE_VALID


def kvm_block_mapping_supported(addr: int, end: int, phys: int, level: int) -> bool:
    """Whether one entry of ``level`` may map ``addr`` to ``phys`` within the range that is left."""
    if level == 0:
        return False
    size = GRANULES[level]
    return size <= end - addr and not addr & (size - 1) and not phys & (size - 1)


def kvm_set_valid_leaf_pte(vm: Vm, ptep: int, old: int, phys: int, attr: int, level: int) -> bool:
    """Before patch 1, shared by hyp stage 1 and guest stage 2: write the leaf over an invalid
    entry; say whether a valid one already was exactly this leaf."""
    new = kvm_init_valid_leaf_pte(phys, attr, level)
    if old & PTE_VALID:
        return old == new
    vm.store(ptep, new, ORDER_RELEASE)
    return True


def kvm_set_invalid_pte(vm: Vm, ptep: int, pte: int) -> None:
    """Clear the entry (kvm_clear_pte); until v5.13 VALID alone, so that the other bits stay."""
    vm.store(ptep, 0 if vm.flags.break_writes_zero else pte & ~PTE_VALID)


def stage2_put_pte(vm: Vm, ptep: int, pte: int, addr: int, level: int) -> None:
    """Break a valid entry: invalid, flushed with ``level`` as the hint, one reference less."""
    kvm_set_invalid_pte(vm, ptep, pte)
    kvm_tlb_flush_vmid_ipa(vm, addr, level)
    vm.put_page(ptep)


def stage2_pte_needs_update(old: int, new: int) -> bool:
    """Whether a valid leaf differs from ``new`` in more than permissions."""
    return bool((old ^ new) & ~PTE_PERMISSIONS)


def release_table(vm: Vm, table: int) -> None:
    """Give an unlinked table page back: freed outright, from v5.15 by its last reference."""
    if vm.flags.put_frees_tables:
        vm.put_page(table)
    else:
        vm.free_page(table)


def kvm_set_table_pte(vm: Vm, ptep: int, child: int) -> None:
    """Link a table page: a store-release, so that its zeroes are visible first."""
    old = vm.load(ptep)
    if old & PTE_VALID:
        vm.record((WARN, vm.current, 0, 0, 0, WARN_TABLE_OVER_VALID))
    vm.store(ptep, child | PTE_TABLE | PTE_VALID, ORDER_RELEASE)
