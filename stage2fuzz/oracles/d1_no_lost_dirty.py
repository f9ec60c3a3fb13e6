"""D1: every guest write to a logged page is reported or still marked."""

from stage2fuzz.arch import PAGE_SIZE, WRITE
from stage2fuzz.events import (
    CALL_LOG_CLEAR,
    CALL_LOG_ENABLE,
    CALL_LOG_GET,
    SLOT_LOGGING,
)
from stage2fuzz.oracles.base import Oracle


class NoLostDirty(Oracle):
    """For each write some later return of a dirty-log read reports the page, or its bit is set.

    User space copies pages after the call returned, so a write through a stale writable entry
    before that is reported in time. Logging counts from the return of the call that enables it.
    """

    oracle = "D1"
    rule = "no lost dirty page"
    why = "After a guest write in a logged slot the page is reported, or its bit is set at the end."
    returns = (CALL_LOG_GET, CALL_LOG_CLEAR)

    def setup(self) -> None:
        """State of one run."""
        self.written: dict[int, int] = self.per_run({})
        self.reported: dict[int, list[int]] = self.per_run({})

    def access(self, index: int, _thread: int, where: int, old: int, _new: int, _aux: int) -> None:
        """The guest wrote."""
        world = self.world
        if old != WRITE or not world.logs(where):
            return
        for thread in world.calls:
            call = world.outer_call(thread)
            if call is not None and call[1] == CALL_LOG_ENABLE:
                return
        self.written[where & -PAGE_SIZE] = index

    def report(self, _index: int, thread: int, where: int, _old: int, _new: int, _aux: int) -> None:
        """A page goes into what the running call reports."""
        self.reported.setdefault(thread, []).append(where)

    def returned(
        self, _index: int, thread: int, _where: int, _old: int, _new: int, _aux: int
    ) -> None:
        """User space has the report now."""
        if self.reported:
            for page in self.reported.pop(thread, ()):
                self.written.pop(page, None)

    def slot(self, _index: int, _thread: int, where: int, old: int, new: int, _aux: int) -> None:
        """Without logging nothing is owed."""
        if self.written and (not old or not new & SLOT_LOGGING):
            for page in [page for page in self.written if not self.world.logs(page)]:
                del self.written[page]

    def quiescent(
        self, index: int, _thread: int, _where: int, _old: int, _new: int, _aux: int
    ) -> None:
        """Nobody will set a bit any more."""
        for page, written in self.written.items():
            if page not in self.world.dirty:
                writer = self.world.events[written][1]
                self.violation(
                    "write neither reported nor marked",
                    f"{self.world.name(writer)}'s write to page {page:#x} is lost: no dirty-log "
                    "read reported the page after it, and its bit is not set",
                    written,
                    index,
                )
