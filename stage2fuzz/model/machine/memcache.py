"""struct kvm_mmu_memory_cache: pages for tables, allocated before mmu_lock is taken."""

from typing import Final

from stage2fuzz.events import ENOMEM, TOPUP
from stage2fuzz.model.machine.vm import Vm

CAPACITY: Final = 40
"""KVM_NR_MEM_OBJS: what a top-up fills the cache to, unless the case says less."""
NO_CACHE: Final = -2
"""The caller of a map has no cache."""


def kvm_mmu_topup_memory_cache(vm: Vm, cache: int, wanted: int, capacity: int = CAPACITY) -> int:
    """See to it that ``vm.caches[cache]`` has ``wanted`` pages: 0 or -ENOMEM."""
    if vm.caches[cache] >= wanted:
        return 0
    vm.topups += 1
    vm.point(TOPUP, 0)
    failed = vm.topups == vm.options.failing_topup
    vm.record((TOPUP, vm.current, 0, wanted, -ENOMEM if failed else 0, 0))
    if failed:
        return -ENOMEM
    vm.caches[cache] = min(vm.options.cache_pages or capacity, capacity)
    return 0


def kvm_mmu_memory_cache_alloc(vm: Vm, cache: int) -> int:
    """A zeroed table page out of the cache; 0 where it is empty, or where there is no cache."""
    if cache == NO_CACHE or not vm.caches[cache]:
        return 0
    vm.caches[cache] -= 1
    return vm.alloc_page()
