"""WARN and CRASH: what the kernel itself says is wrong."""

from typing import Final

from stage2fuzz.events import (
    CALL_NAMES,
    WARN_BUG,
    WARN_FOREIGN_PAGE,
    WARN_HYP_REMAP,
    WARN_LEAF_AT_LAST_LEVEL,
    WARN_LEFT_OVER,
    WARN_MEMORY_CACHE,
    WARN_OTHER,
    WARN_REFCOUNT,
    WARN_STILL_HELD,
    WARN_TABLE_OVER_VALID,
)
from stage2fuzz.oracles.base import Oracle, fault_name

WARN_NAMES = {
    WARN_LEAF_AT_LAST_LEVEL: "no leaf possible at the last level",
    WARN_TABLE_OVER_VALID: "table written over a valid entry",
    WARN_REFCOUNT: "reference count",
    WARN_OTHER: "other",
    WARN_BUG: "BUG()",
    WARN_STILL_HELD: "a lock or read-side section still held at the end",
    WARN_FOREIGN_PAGE: "a host page that was never looked up",
    WARN_LEFT_OVER: "what a VM was made of not freed with it, or freed twice",
}
ILLEGAL_INSTRUCTION: Final = 4
TRAP: Final = 5
"""Signals of what the compiler puts where behaviour is undefined (``kernel/toolchain.py``)."""


class KernelWarning(Oracle):
    """A WARN_ON or BUG_ON fired.

    The refusal of a hyp remap warns by design (C13 judges it); an empty memory cache is E5's. Two
    warnings are what lockdep and a debug kernel would say: a section that its thread leaves open,
    and a page frame that belongs to nobody.
    """

    oracle = "WARN"
    rule = "no kernel warning"
    why = "No WARN_ON or BUG_ON of the engine fires."

    def warn(self, index: int, thread: int, warning: int) -> None:
        """A WARN_ON or BUG_ON fired, which none should."""
        if warning not in (WARN_HYP_REMAP, WARN_MEMORY_CACHE):
            what = WARN_NAMES.get(warning, "other")
            self.violation(what, f"{self._where(thread)} hit a kernel warning: {what}", index)

    def _where(self, thread: int) -> str:
        """Who warned, in which call or fault, and about which page."""
        world = self.world
        call, fault = world.calls.get(thread), world.faults.get(thread)
        where = world.name(thread)
        if call is not None:
            where += f" in {CALL_NAMES[call[1]]}({call[2]:#x}, {call[3]:#x})"
        if fault is not None:
            where += f", for its {fault_name(fault)} at IPA {fault[1]:#x},"
        return where


class KernelCrash(Oracle):
    """The engine's C code took a signal."""

    oracle = "CRASH"
    rule = "no crash"
    why = "The engine's code takes no signal."

    def crash(self, index: int, thread: int, address: int, signal: int) -> None:
        """The engine's C code took a signal."""
        if signal in (ILLEGAL_INSTRUCTION, TRAP):
            self.violation(
                f"signal {signal}",
                f"{self.world.name(thread)} ran into undefined behaviour of C: a shift, index, "
                "bool, enum or divisor out of range, or a place that cannot be reached",
                index,
            )
            return
        self.violation(
            f"signal {signal}",
            f"{self.world.name(thread)} crashed with signal {signal} at address {address:#x}",
            index,
        )
