"""struct kvm_mmu_memory_cache: pages for tables, allocated before mmu_lock is taken."""

from typing import Final

from stage2fuzz.events import ENOMEM, TOPUP, WARN, WARN_MEMORY_CACHE
from stage2fuzz.model.machine.vm import Vm

CAPACITY: Final = 40
"""KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE: what a top-up fills a cache to, unless the case says less."""
NO_CACHE: Final = -2
"""The caller of a map has no cache."""
GFP_ATOMIC: Final = 2
"""How an allocation names where its page came from: the system, without sleeping."""


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
    vm.caches[cache] = min(max(vm.options.cache_pages or capacity, wanted), capacity)
    return 0


def kvm_mmu_memory_cache_alloc(vm: Vm, cache: int) -> int:
    """A zeroed table page out of the cache; 0 where the caller has none.

    Whoever finds it empty is warned and served by an atomic allocation; where that fails, too, the
    kernel stops. No caller ever sees a failure.
    """
    if cache == NO_CACHE:
        return 0
    if vm.caches[cache]:
        vm.caches[cache] -= 1
        return vm.alloc_page()
    vm.record((WARN, vm.current, 0, 0, 0, WARN_MEMORY_CACHE))
    if vm.options.failing_atomic:
        vm.bug()
    return vm.alloc_page(source=GFP_ATOMIC)
