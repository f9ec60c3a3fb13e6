"""hyp/pgtable.c from v6.2 on: faults share mmu_lock and meet in the entries."""

from stage2fuzz.model.pgtable import kvm_pgtable_stage2_destroy
from stage2fuzz.model.pgtable_shared.attributes import (
    kvm_pgtable_stage2_mkyoung,
    kvm_pgtable_stage2_relax_perms,
    kvm_pgtable_stage2_test_clear_young,
    kvm_pgtable_stage2_wrprotect,
)
from stage2fuzz.model.pgtable_shared.flushing import kvm_pgtable_stage2_flush
from stage2fuzz.model.pgtable_shared.mapping import kvm_pgtable_stage2_map
from stage2fuzz.model.pgtable_shared.split import kvm_pgtable_stage2_split
from stage2fuzz.model.pgtable_shared.unmapping import kvm_pgtable_stage2_unmap

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
