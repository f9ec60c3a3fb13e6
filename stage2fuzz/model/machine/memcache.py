"""struct kvm_mmu_memory_cache: pages for tables, allocated before mmu_lock is taken."""

from typing import Final

from stage2fuzz.events import ENOMEM, TOPUP, TOPUP_SINGLE, WARN, WARN_MEMORY_CACHE
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
    vm.requests += 1
    vm.point(TOPUP, 0)
    options = vm.options
    failed = vm.topups == options.failing_topup or vm.requests == options.failing_alloc
    vm.record((TOPUP, vm.current, 0, wanted, -ENOMEM if failed else 0, 0))
    if failed:
        return -ENOMEM
    vm.caches[cache] = min(max(vm.options.cache_pages or capacity, wanted), capacity)
    return 0


def is_refused(vm: Vm) -> bool:
    """Whether a host thread gets no table page (``failing_alloc``).

    KVM's own cache refuses nobody; what builds a table must survive it all the same, since it is
    told by its ``zalloc_page``, which need not be KVM's.
    """
    if not vm.options.failing_alloc or vm.current < len(vm.scenario.vcpus):
        return False
    vm.point(TOPUP, 0)
    vm.requests += 1
    failed = vm.requests == vm.options.failing_alloc
    vm.record((TOPUP, vm.current, 0, TOPUP_SINGLE, -ENOMEM if failed else 0, 0))
    return failed


def get_zeroed_page(vm: Vm) -> int:
    """A zeroed page of the system's, asked for where one may sleep; 0 where there is none."""
    return 0 if is_refused(vm) else vm.alloc_page()


def kvm_mmu_memory_cache_alloc(vm: Vm, cache: int) -> int:
    """A zeroed table page out of the cache; 0 where the caller has none.

    Whoever finds it empty is warned and served by an atomic allocation; where that fails, too, the
    kernel stops. So no fault ever sees a failure; a host thread does with ``failing_alloc``.
    """
    if cache == NO_CACHE:
        return 0
    if is_refused(vm):
        return 0
    if vm.caches[cache]:
        vm.caches[cache] -= 1
        return vm.alloc_page()
    vm.record((WARN, vm.current, 0, 0, 0, WARN_MEMORY_CACHE))
    if vm.options.failing_atomic:
        vm.bug()
    return vm.alloc_page(source=GFP_ATOMIC)
