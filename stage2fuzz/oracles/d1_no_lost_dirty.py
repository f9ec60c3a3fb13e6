"""D1: every guest write to a logged page is reported or still marked."""

from stage2fuzz.arch import WRITE
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
        """Make the containers that hold what one run shows."""
        self.written: dict[int, int] = self.per_run({})
        self.reported: dict[int, list[int]] = self.per_run({})

    def access(self, index: int, ipa: int, kind: int) -> None:
        """A guest write to a logged page must be told of from here on."""
        self._used(index, ipa, kind)

    def vncr_access(self, index: int, ipa: int, kind: int) -> None:
        """A write of registers that lie in the guest's memory is one of the guest's."""
        self._used(index, ipa, kind)

    def _used(self, index: int, ipa: int, kind: int) -> None:
        world = self.world
        if kind != WRITE or not world.logs(ipa):
            return
        for thread in world.calls:
            call = world.outer_call(thread)
            if call is not None and call[1] == CALL_LOG_ENABLE:
                return
        self.written[ipa & -self.world.page_size] = index

    def report(self, thread: int, ipa: int) -> None:
        """A page goes into what the running call reports."""
        self.reported.setdefault(thread, []).append(ipa)

    def returned(self, thread: int) -> None:
        """User space has what the call reports now."""
        if self.reported:
            for page in self.reported.pop(thread, ()):
                self.written.pop(page, None)

    def slot(self, size: int, flags: int) -> None:
        """What is no longer logged need not be reported."""
        if self.written and (not size or not flags & SLOT_LOGGING):
            for page in [page for page in self.written if not self.world.logs(page)]:
                del self.written[page]

    def quiescent(self, index: int) -> None:
        """Nobody will set a bit any more: what is still owed is lost."""
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
