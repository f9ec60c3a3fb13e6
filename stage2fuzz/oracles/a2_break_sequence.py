"""A2: between a break and the next make stand all five steps, in order."""

from enum import IntEnum
from typing import Final

from stage2fuzz.arch import LAST_LEVEL
from stage2fuzz.events import (
    DSB_ISH,
    DSB_ISHST,
    TLBI_ALLE1,
    TLBI_BROADCAST,
    TLBI_IPAS2E1,
    TLBI_LAST_LEVEL,
    TLBI_OPERATION,
    TLBI_VMALLE1,
    TREE_SHIFT,
    tlbi_level,
)
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.window import cacheable


class Phase(IntEnum):
    """How far a broken entry has come; each step moves it on by one, in this order."""

    WRITTEN = 0
    """The invalid entry is stored; no barrier makes sure of it yet."""
    ORDERED = 1
    """A DSB came after the store: a TLBI may be issued."""
    STAGE2_ISSUED = 2
    """A TLBI of stage 2 that covers the entry is under way."""
    STAGE2_DONE = 3
    """A DSB has completed it: the TLBI of stage 1 may be issued."""
    STAGE1_ISSUED = 4
    """The last TLBI, of stage 1 or of both, is under way; its DSB ends the sequence."""


WRITTEN, ORDERED, STAGE2_ISSUED, STAGE2_DONE, STAGE1_ISSUED = Phase
"""By their own names, since looking a member up in its class takes longer than a handler."""
MISSING: Final = {
    WRITTEN: "a DSB before the TLBI",
    ORDERED: "a TLBI of this entry",
    STAGE2_ISSUED: "a DSB after the stage-2 TLBI",
    STAGE2_DONE: "a stage-1 TLBI",
    STAGE1_ISSUED: "a DSB after the last TLBI",
}
"""What an entry in a phase waits for."""
TOO_EARLY: Final = "a DSB between the stage-2 and the stage-1 TLBI"


class BreakInProgress:
    """One entry on its way from valid to valid."""

    __slots__ = ("end", "index", "ipa", "level", "missing", "phase", "table", "thread")

    def __init__(
        self, index: int, thread: int, level: int, ipa: int, size: int, table: bool
    ) -> None:
        self.index, self.thread, self.level, self.ipa = index, thread, level, ipa
        self.end = ipa + size
        self.table = table
        self.phase: Phase = WRITTEN
        self.missing = MISSING[ORDERED]


class BreakSequence(Oracle):
    """Invalid entry, DSB, stage-2 TLBI, DSB, stage-1 TLBI, DSB, valid entry (RDDMVT).

    One TLBI of both stages of the whole VMID does the work of the two. Only the breaking thread's
    steps count, as in casemate's automaton.
    """

    oracle = "A2"
    rule = "break sequence complete"
    why = "An entry is made valid again only after DSB, TLBI, DSB, stage-1 TLBI, DSB."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.broken: dict[int, BreakInProgress] = self.per_run({})

    def leaf_removed(
        self, index: int, thread: int, location: int, old: int, level: int, ipa: int
    ) -> None:
        """A leaf is invalid now; one without access flag was never cached."""
        if cacheable(old, level):
            self.broken[location] = BreakInProgress(
                index, thread, level, ipa, self.world.sizes[level], False
            )

    def table_unlinked(self, index: int, thread: int, location: int, level: int, ipa: int) -> None:
        """A table entry is invalid now, whatever hung below it."""
        self.broken[location] = BreakInProgress(
            index, thread, level, ipa, self.world.sizes[level], True
        )

    def dsb(self, thread: int, barrier: int) -> None:
        """A barrier moves each of the thread's broken entries on by one phase."""
        if not self.broken:
            return
        for location, broken in list(self.broken.items()):
            if broken.thread != thread:
                continue
            if broken.phase == WRITTEN and barrier in (DSB_ISH, DSB_ISHST):
                broken.phase = ORDERED
            elif barrier == DSB_ISH and broken.phase == STAGE2_ISSUED:
                broken.phase = STAGE2_DONE
            elif barrier == DSB_ISH and broken.phase == STAGE1_ISSUED:
                del self.broken[location]

    def tlbi(self, thread: int, ipa: int, size: int, vmid: int, form: int) -> None:
        """A TLBI of the breaking thread, if it is the right one at the right time."""
        for broken in self.broken.values():
            if broken.thread != thread:
                continue
            operation = form & TLBI_OPERATION
            if vmid - self.world.vmid != broken.ipa >> TREE_SHIFT and operation != TLBI_ALLE1:
                broken.missing = "a TLBI for the guest (it was for another VMID)"
            elif not form & TLBI_BROADCAST:
                broken.missing = "a broadcast TLBI (it was local)"
            elif broken.phase == WRITTEN:
                broken.missing = MISSING[WRITTEN]
            elif operation == TLBI_IPAS2E1:
                if not _covers(broken, ipa, size, form):
                    broken.missing = "a TLBI of this entry (another page or level was named)"
                elif broken.phase == ORDERED:
                    broken.phase = STAGE2_ISSUED
            elif operation == TLBI_VMALLE1:
                if broken.phase == STAGE2_ISSUED:
                    broken.missing = TOO_EARLY
                elif broken.phase == STAGE2_DONE:
                    broken.phase = STAGE1_ISSUED
            else:
                broken.phase = STAGE1_ISSUED

    def leaf_installed(self, index: int, thread: int, location: int, level: int, ipa: int) -> None:
        """A broken entry is valid again, as a leaf, after all five steps."""
        if self.broken:
            self._made(index, thread, location, level, ipa)

    def table_linked(self, index: int, thread: int, location: int, level: int, ipa: int) -> None:
        """A broken entry is valid again, as a table."""
        if self.broken:
            self._made(index, thread, location, level, ipa)

    def _made(self, index: int, thread: int, location: int, level: int, ipa: int) -> None:
        broken = self.broken.pop(location, None)
        if broken is None or broken.index == index or (broken.ipa, broken.level) != (ipa, level):
            return
        missing = MISSING[broken.phase] if broken.phase > ORDERED else broken.missing
        if broken.phase == STAGE2_DONE and broken.missing == TOO_EARLY:
            missing = TOO_EARLY
        world = self.world
        self.violation(
            f"no {missing[2:]}, {'table' if broken.table else leaf_kind(level)}",
            f"{world.name(thread)} made the entry of IPA {ipa:#x} valid again, but since "
            f"{world.name(broken.thread)} broke it {missing} is missing",
            broken.index,
            index,
        )


def _covers(broken: BreakInProgress, ipa: int, size: int, form: int) -> bool:
    """Whether a TLBI by IPA names the broken entry, level hint included."""
    if not (broken.ipa < ipa + max(size, 1) and ipa < broken.end):
        return False
    hint = tlbi_level(form)
    if broken.table and broken.level < LAST_LEVEL:
        return not form & TLBI_LAST_LEVEL and (hint < 0 or hint >= broken.level)
    return hint in (-1, broken.level)
