"""Cache maintenance of guest pages as the walkers of v5.14 and later do it."""

from stage2fuzz.arch import PTE_ADDRESS, PTE_MEMATTR, PTE_MEMATTR_NORMAL
from stage2fuzz.engine.vm import Vm
from stage2fuzz.engine.walk import GRANULES
from stage2fuzz.events import DCACHE_CLEAN, ICACHE_INVALIDATE


def clean_dcache_guest_page(vm: Vm, pte: int, level: int) -> None:
    """Clean and invalidate what a cacheable leaf maps; a CPU with FWB has no need of it."""
    if pte & PTE_MEMATTR == PTE_MEMATTR_NORMAL and not vm.options.fwb:
        vm.record((DCACHE_CLEAN, vm.current, pte & PTE_ADDRESS, GRANULES[level], 0, 0))


def invalidate_icache_guest_page(vm: Vm, address: int, size: int) -> None:
    """Before anyone may execute there."""
    if not vm.planted.no_icache_invalidate:
        vm.record((ICACHE_INVALIDATE, vm.current, address, size, 0, 0))
