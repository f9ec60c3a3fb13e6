"""stage2_apply_range: an operation on a long range goes in parts."""

from collections.abc import Callable

from stage2fuzz.arch import GRANULES
from stage2fuzz.events import LOCK_MMU
from stage2fuzz.model.machine.vm import Vm


def stage2_apply_range(
    vm: Vm, start: int, size: int, function: Callable[[Vm, int, int], int], resched: bool = True
) -> None:
    """Apply ``function`` to the range in parts that end where a root entry ends, or from v6.2 a
    block of the largest size, or until the tables are gone; between two parts mmu_lock goes to
    whoever waits for it, where ``resched`` allows that."""
    end, step = start + size, GRANULES[max(vm.start_level, vm.flags.apply_range_level)]
    while start < end:
        following = min(end, (start & -step) + step)
        function(vm, start, following - start)
        start = following
        if resched and start < end and vm.contended(LOCK_MMU):
            vm.unlock(LOCK_MMU)
            vm.lock(LOCK_MMU)
            if not vm.mapped:
                return
