"""Cache maintenance of guest pages."""

from stage2fuzz.arch import GRANULES, PTE_ADDRESS, PTE_MEMATTR, PTE_MEMATTR_NORMAL
from stage2fuzz.events import DCACHE_CLEAN, ICACHE_INVALIDATE
from stage2fuzz.model.machine.vm import Vm


def clean_dcache_guest_page(vm: Vm, address: int, size: int) -> None:
    """Clean and invalidate guest memory; a CPU with FWB has no need of it."""
    if not vm.options.fwb:
        vm.record((DCACHE_CLEAN, vm.current, address, size, 0, 0))


def clean_dcache_of_leaf(vm: Vm, pte: int, level: int) -> None:
    """Clean what a leaf maps, if that is cacheable (stage2_pte_cacheable)."""
    if pte & PTE_MEMATTR == PTE_MEMATTR_NORMAL:
        clean_dcache_guest_page(vm, pte & PTE_ADDRESS, GRANULES[level])


def invalidate_icache_guest_page(vm: Vm, address: int, size: int) -> None:
    """Invalidate the instruction cache, before anyone may execute there."""
    vm.record((ICACHE_INVALIDATE, vm.current, address, size, 0, 0))
