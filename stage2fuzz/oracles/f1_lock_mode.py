"""F1: each operation holds the lock it needs, even if nothing breaks without it."""

from typing import Final

from stage2fuzz.events import (
    CALL_CODE,
    CALL_DESTROY,
    CALL_FLUSH,
    CALL_HYP_MAP,
    CALL_IS_YOUNG,
    CALL_MAP,
    CALL_MKOLD,
    CALL_MKYOUNG,
    CALL_NAMES,
    CALL_RELAX,
    CALL_SPLIT,
    CALL_UNMAP,
    CALL_WRPROTECT,
    FIRST_HOST_CALL,
    LOCK_HYP,
    LOCK_MMU,
)
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.facts import LOCK_SHARED

EXCLUSIVE: Final = (CALL_UNMAP, CALL_WRPROTECT, CALL_SPLIT, CALL_MKOLD, CALL_FLUSH)
BY_FAULTS: Final = (CALL_MAP, CALL_RELAX, CALL_MKYOUNG, CALL_IS_YOUNG)


class LockMode(Oracle):
    """unmap, write-protect, split, aging and flush exclusive; what faults do shared, from v6.2 on.

    Teardown walks without the lock, once the root was unpublished under it.
    """

    oracle = "F1"
    rule = "lock mode"
    why = "Every walk of a live table holds mmu_lock in the mode its operation needs."

    def call(self, index: int, thread: int, ipa: int, request: int) -> None:
        """An operation begins: its lock is held, in its mode."""
        code = request & CALL_CODE
        if code >= FIRST_HOST_CALL or code == CALL_DESTROY:
            return
        held = self.world.held.get(thread, ())
        if code == CALL_HYP_MAP:
            if LOCK_HYP in held:
                return
            needed = "kvm_hyp_pgd_mutex"
        else:
            shared, rules = LOCK_MMU | LOCK_SHARED in held, self.world.rules
            enough = (rules.shared_faults and code in BY_FAULTS) or (
                rules.shared_relax and code == CALL_RELAX
            )
            if LOCK_MMU in held or (shared and enough):
                return
            needed = "mmu_lock for writing" if shared else "mmu_lock"
        self.violation(
            f"{CALL_NAMES[code]} without {needed}",
            f"{self.world.name(thread)} called {CALL_NAMES[code]}({ipa:#x}) without {needed}",
            index,
        )
