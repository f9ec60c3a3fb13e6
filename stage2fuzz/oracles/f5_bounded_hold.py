"""F5: mmu_lock is held for a bounded piece of work, and kept where the holder may not sleep."""

from typing import Final

from stage2fuzz.events import (
    CALL_CODE,
    CALL_INVALIDATE_START,
    CALL_NAMES,
    CALL_SPLIT,
    CALL_UNMAP,
    CALL_WRPROTECT,
    INVALIDATE_NONBLOCK,
    LOCK,
    LOCK_MMU,
    UNLOCK,
)
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.facts import Call
from stage2fuzz.oracles.violation import Category

BY_RANGE: Final = (CALL_UNMAP, CALL_WRPROTECT, CALL_SPLIT)


class BoundedHold(Oracle):
    """A call goes through its whole range without a chance to yield, so the caller cuts the range.

    A slot of many GiB in one call starves every vCPU that faults, and trips the lockup detectors.
    And a notifier that may not block, as the OOM reaper's, keeps mmu_lock from the first page to
    the last: dropping it to let others in is how one sleeps. Teardown holds no lock.
    """

    oracle = "F5"
    rule = "bounded hold"
    category = Category.PROGRESS
    returns = (CALL_INVALIDATE_START,)
    why = (
        "One call under mmu_lock covers one largest block at most; who may not block never yields."
    )

    def call(self, index: int, thread: int, ipa: int, size: int, request: int) -> None:
        """A call by range begins."""
        code = request & CALL_CODE
        if size <= self.world.largest_block or code not in BY_RANGE:
            return
        if LOCK_MMU in self.world.held.get(thread, ()):
            self.violation(
                f"{CALL_NAMES[code]} of more than the largest block",
                f"{self.world.name(thread)} called {CALL_NAMES[code]}({ipa:#x}, {size:#x}) with "
                f"mmu_lock held: nobody else gets it before all {size >> 20} MiB are done",
                index,
            )

    def returned(self, index: int, thread: int, call: Call | None) -> None:
        """A notifier is through; one that may not block has taken the lock once."""
        if call is None or call[4] != INVALIDATE_NONBLOCK:
            return
        dropped = -1
        for at in range(call[0], index):
            kind, who, lock, _old, _new, _shared = self.world.events[at]
            if who != thread or lock != LOCK_MMU:
                continue
            if kind == UNLOCK:
                dropped = at
            elif kind == LOCK and dropped >= 0:
                self.violation(
                    "yielded where the notifier may not block",
                    f"{self.world.name(thread)} dropped mmu_lock in the middle of "
                    f"{CALL_NAMES[call[1]]}({call[2]:#x}, {call[3]:#x}), which may not block, and "
                    "took it again",
                    call[0],
                    dropped,
                    at,
                )
                return
