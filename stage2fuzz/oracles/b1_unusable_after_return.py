"""B1: what was removed can't be used any more when the removal returns."""

from stage2fuzz.arch import PTE_WRITE
from stage2fuzz.events import (
    CALL_INVALIDATE_START,
    CALL_LOG_CLEAR,
    CALL_LOG_ENABLE,
    CALL_LOG_GET,
    CALL_NAMES,
    CALL_SLOT_DELETE,
    CALL_UNMAP,
    CALL_WRPROTECT,
)
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import Call
from stage2fuzz.window import Record

REMOVES = (CALL_UNMAP, CALL_INVALIDATE_START, CALL_SLOT_DELETE)
PROTECTS = (CALL_LOG_ENABLE, CALL_LOG_GET, CALL_LOG_CLEAR)
"""A flush after the unlock belongs to these calls, so the engine's own wrprotect is not asked."""

RemovedEntry = tuple[int, Record, int]
"""(event, record of the location, index of the removed value in its history)."""


class UnusableAfterReturn(Oracle):
    """At the return no PE may use what the call took away (litmus MP.RT...tlbiis-dsb).

    Any use before the return is fine, and so is one deferred flush for a whole range.
    """

    oracle = "B1"
    rule = "unusable after return"
    why = "When an unmap or a write-protect with its flush returns, no TLB can use what it took."
    returns = (*REMOVES, *PROTECTS)

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.removed: dict[int, list[RemovedEntry]] = self.per_run({})

    def leaf_removed(self, index: int, thread: int, location: int, call: Call | None) -> None:
        """A leaf went in an unmap."""
        if call is not None and call[1] == CALL_UNMAP:
            self._note(index, thread, location)

    def leaf_changed(
        self, index: int, thread: int, location: int, old: int, new: int, call: Call | None
    ) -> None:
        """A leaf lost its write permission in a write-protect."""
        if call is not None and call[1] == CALL_WRPROTECT and old & ~new & PTE_WRITE:
            self._note(index, thread, location)

    def _note(self, index: int, thread: int, location: int) -> None:
        record = self.world.window.record(location)
        if record is not None:
            self.removed.setdefault(thread, []).append((index, record, record.last - 1))

    def returned(self, index: int, thread: int, code: int) -> None:
        """The caller may rely on it now."""
        if not self.removed:
            return
        for start, record, upto in self.removed.pop(thread, ()):
            for pe in range(self.world.vcpus):
                for value in record.stale(pe, upto):
                    if code in PROTECTS and not value & PTE_WRITE:
                        continue
                    what = "write through" if code in PROTECTS else "use"
                    self.violation(
                        f"{CALL_NAMES[code]}, {leaf_kind(record.level)}",
                        f"{CALL_NAMES[code]} of {self.world.name(thread)} returned while "
                        f"{self.world.name(pe)} may still {what} "
                        f"{self.pte(value, record.level)} for IPA {record.ipa:#x}",
                        start,
                        index,
                    )
