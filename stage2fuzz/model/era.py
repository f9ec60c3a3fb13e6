"""Era: the functions of one generation of the page-table code, chosen once a run.

Until v6.1 every change of a live table is made under an exclusive mmu_lock; from v6.2 faults share
it. That is another algorithm, not a condition here and there, so each generation has files of its
own and the fault handler and the host call whichever the revision has.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stage2fuzz.model.machine.vm import MemorySlot, Vm
    from stage2fuzz.model.mmu.abort_v5_10 import Fault


@dataclass(frozen=True, slots=True)
class Era:
    """What kvm_handle_guest_abort and the host's operations call."""

    user_mem_abort: "Callable[[Vm, MemorySlot, Fault], int]"
    handle_access_fault: "Callable[[Vm, int], None]"
    map: "Callable[[Vm, int, int, int, int, int], int]"
    """(vm, IPA, bytes, host address, PROT_*, whose cache): kvm_pgtable_stage2_map."""
    relax: "Callable[[Vm, int, int, int], int]"
    """(vm, IPA, bytes, PROT_*): kvm_pgtable_stage2_relax_perms."""
    wrprotect: "Callable[[Vm, int, int], int]"
    unmap: "Callable[[Vm, int, int], int]"
    mkold: "Callable[[Vm, int, int], bool]"
    """(vm, first IPA, bytes) -> whether anything was young; v5.10 looks at the first leaf only."""
    is_young: "Callable[[Vm, int], bool]"
    set_spte: "Callable[[Vm, int, int], int]"
    """(vm, IPA, host address): change_pte maps the new page; gone in v6.10."""
    split_slot: "Callable[[Vm, MemorySlot], None]"
    """What follows the write protection of a slot whose log was switched on."""
    flush_slot: "Callable[[Vm, MemorySlot], None]"
    """kvm_flush_remote_tlbs for a slot."""
    widest_step: int
    """Lowest level whose granule bounds one step of stage2_apply_range."""
