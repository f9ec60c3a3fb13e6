"""hyp/pgtable.c as of v5.10 to v6.1: every change under the exclusive mmu_lock."""

from stage2fuzz.model.pgtable.attributes import (
    kvm_pgtable_stage2_mkyoung,
    kvm_pgtable_stage2_relax_perms,
    kvm_pgtable_stage2_test_clear_young,
    kvm_pgtable_stage2_wrprotect,
)
from stage2fuzz.model.pgtable.flushing import kvm_pgtable_stage2_flush
from stage2fuzz.model.pgtable.mapping import kvm_pgtable_stage2_map, kvm_pgtable_stage2_split
from stage2fuzz.model.pgtable.unmapping import kvm_pgtable_stage2_destroy, kvm_pgtable_stage2_unmap

__all__ = [
    "kvm_pgtable_stage2_destroy",
    "kvm_pgtable_stage2_flush",
    "kvm_pgtable_stage2_map",
    "kvm_pgtable_stage2_mkyoung",
    "kvm_pgtable_stage2_relax_perms",
    "kvm_pgtable_stage2_split",
    "kvm_pgtable_stage2_test_clear_young",
    "kvm_pgtable_stage2_unmap",
    "kvm_pgtable_stage2_wrprotect",
]
