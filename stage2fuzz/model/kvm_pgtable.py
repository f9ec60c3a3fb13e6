"""kvm_pgtable.h: what a page-table package offers to the rest of the model, and in which words.

Until v6.1 every change of a live table is made under an exclusive mmu_lock (``pgtable``); from
v6.2 faults share it (``pgtable_shared``). That is another algorithm, so each has its package; both
satisfy ``Pgtable``, and the caller does not ask which it has.
"""

from typing import Final, Protocol

from stage2fuzz.model.machine.vm import Vm

LEAF: Final = 1
TABLE_PRE: Final = 2
TABLE_POST: Final = 4
SHARED: Final = 8
"""Others walk at the same time."""
HANDLE_FAULT: Final = 16
"""-EAGAIN ends the walk, and the guest tries again."""


class Pgtable(Protocol):
    """The functions of hyp/pgtable.c that mmu.c calls; addresses are IPAs, sizes bytes.

    Each is called with the locks that its era asks for, and returns 0 or a negative errno where
    nothing else is said.
    """

    def kvm_pgtable_stage2_map(
        self,
        vm: Vm,
        addr: int,
        size: int,
        phys: int,
        prot: int,
        memcache: int = ...,
        flags: int = ...,
        /,
    ) -> int:
        """Map the range to ``phys`` with PROT_*; tables come from the ``memcache`` of that number.

        ``flags`` are SHARED and HANDLE_FAULT, which only walks that share the lock know."""

    def kvm_pgtable_stage2_relax_perms(self, vm: Vm, addr: int, size: int, prot: int, /) -> int:
        """Grant PROT_* on the leaf that maps ``addr``, and flush it."""

    def kvm_pgtable_stage2_wrprotect(self, vm: Vm, addr: int, size: int, /) -> int:
        """Take write permission from every leaf of the range; the caller flushes."""

    def kvm_pgtable_stage2_unmap(self, vm: Vm, addr: int, size: int, /) -> int:
        """Remove and flush every leaf of the range, and every table left empty."""

    def kvm_pgtable_stage2_flush(self, vm: Vm, addr: int, size: int, /) -> int:
        """Clean the data cache of all memory that the range maps."""

    def kvm_pgtable_stage2_mkyoung(self, vm: Vm, addr: int, /) -> bool:
        """Set the access flag of the leaf that maps ``addr``; whether there was one."""

    def kvm_pgtable_stage2_test_clear_young(
        self, vm: Vm, addr: int, size: int, mkold: bool, /
    ) -> bool:
        """Whether a leaf of the range was young; with ``mkold`` it is not any more."""

    def kvm_pgtable_stage2_split(self, vm: Vm, addr: int, size: int, /) -> int:
        """Replace the blocks of the range by tables; called where ``Flags.splits_eagerly``."""

    def kvm_pgtable_stage2_destroy(self, vm: Vm, /) -> None:
        """Free all tables, which nobody walks any more."""
