"""A2: between a break and the next make stand all five steps, in order."""

from typing import Final

from stage2fuzz.arch import LAST_LEVEL
from stage2fuzz.events import (
    DSB_ISH,
    DSB_ISHST,
    TLBI_BROADCAST,
    TLBI_IPAS2E1,
    TLBI_LAST_LEVEL,
    TLBI_OPERATION,
    TLBI_VMALLE1,
    tlbi_level,
)
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import GRANULES
from stage2fuzz.window import Entry, cacheable

WRITTEN: Final = 0
ORDERED: Final = 1
STAGE2_ISSUED: Final = 2
STAGE2_DONE: Final = 3
STAGE1_ISSUED: Final = 4
MISSING: Final = (
    "a DSB before the TLBI",
    "a TLBI of this entry",
    "a DSB after the stage-2 TLBI",
    "a stage-1 TLBI",
    "a DSB after the last TLBI",
)


class Broken:
    """One entry on its way from valid to valid."""

    __slots__ = ("end", "index", "ipa", "level", "missing", "state", "table", "thread")

    def __init__(self, index: int, thread: int, level: int, ipa: int, table: bool) -> None:
        self.index, self.thread, self.level, self.ipa = index, thread, level, ipa
        self.end = ipa + GRANULES[level]
        self.table = table
        self.state = WRITTEN
        self.missing = "a TLBI of this entry"


class BreakSequence(Oracle):
    """Invalid entry, DSB, stage-2 TLBI, DSB, stage-1 TLBI, DSB, valid entry (RDDMVT).

    One TLBI of both stages of the whole VMID does the work of the two. Only the breaking thread's
    steps count, as in casemate's automaton.
    """

    oracle = "A2"
    rule = "break sequence complete"
    why = "An entry is made valid again only after DSB, TLBI, DSB, stage-1 TLBI, DSB."

    def setup(self) -> None:
        """State of one run."""
        self.broken: dict[int, Broken] = self.per_run({})

    def leaf_removed(
        self, index: int, thread: int, location: int, old: int, _new: int, level: int, ipa: int
    ) -> None:
        """A leaf is invalid now; one without access flag was never cached."""
        if cacheable(old, level):
            self.broken[location] = Broken(index, thread, level, ipa, False)

    def table_unlinked(
        self,
        index: int,
        thread: int,
        location: int,
        _old: int,
        level: int,
        ipa: int,
        _below: list[Entry],
    ) -> None:
        """A table entry is invalid now."""
        self.broken[location] = Broken(index, thread, level, ipa, True)

    def dsb(self, _index: int, thread: int, _where: int, _old: int, _new: int, aux: int) -> None:
        """A barrier moves each of the thread's broken entries on by one state."""
        if not self.broken:
            return
        for location, broken in list(self.broken.items()):
            if broken.thread != thread:
                continue
            if broken.state == WRITTEN and aux in (DSB_ISH, DSB_ISHST):
                broken.state = ORDERED
            elif aux == DSB_ISH and broken.state == STAGE2_ISSUED:
                broken.state = STAGE2_DONE
            elif aux == DSB_ISH and broken.state == STAGE1_ISSUED:
                del self.broken[location]

    def tlbi(self, _index: int, thread: int, where: int, old: int, new: int, aux: int) -> None:
        """A TLBI of the breaking thread, if it is the right one at the right time."""
        for broken in self.broken.values():
            if broken.thread != thread:
                continue
            operation = aux & TLBI_OPERATION
            if not aux & TLBI_BROADCAST:
                broken.missing = "a broadcast TLBI (it was local)"
            elif broken.state == WRITTEN:
                broken.missing = MISSING[WRITTEN]
            elif operation == TLBI_IPAS2E1:
                if not _covers(broken, where, old, aux):
                    broken.missing = "a TLBI of this entry (another page or level was named)"
                elif broken.state == ORDERED:
                    broken.state = STAGE2_ISSUED
            elif operation == TLBI_VMALLE1:
                if broken.state == STAGE2_ISSUED:
                    broken.missing = "a DSB between the stage-2 and the stage-1 TLBI"
                elif broken.state == STAGE2_DONE:
                    broken.state = STAGE1_ISSUED
            elif new in (self.world.vmid, 0):
                broken.state = STAGE1_ISSUED

    def leaf_installed(
        self, index: int, thread: int, location: int, _old: int, _new: int, level: int, ipa: int
    ) -> None:
        """The entry is valid again."""
        if self.broken:
            self._made(index, thread, location, level, ipa)

    def table_linked(
        self, index: int, thread: int, location: int, _old: int, _new: int, level: int, ipa: int
    ) -> None:
        """The entry is valid again, as a table."""
        if self.broken:
            self._made(index, thread, location, level, ipa)

    def _made(self, index: int, thread: int, location: int, level: int, ipa: int) -> None:
        broken = self.broken.pop(location, None)
        if broken is None or broken.index == index or (broken.ipa, broken.level) != (ipa, level):
            return
        missing = MISSING[broken.state] if broken.state > ORDERED else broken.missing
        if broken.state == STAGE2_DONE and "between" in broken.missing:
            missing = broken.missing
        world = self.world
        self.violation(
            f"no {missing[2:]}, {'table' if broken.table else leaf_kind(level)}",
            f"{world.name(thread)} made the entry of IPA {ipa:#x} valid again, but since "
            f"{world.name(broken.thread)} broke it {missing} is missing",
            broken.index,
            index,
        )


def _covers(broken: Broken, where: int, size: int, aux: int) -> bool:
    """Whether a TLBI by IPA names the broken entry, level hint included."""
    if not (broken.ipa < where + max(size, 1) and where < broken.end):
        return False
    hint = tlbi_level(aux)
    if broken.table and broken.level < LAST_LEVEL:
        return not aux & TLBI_LAST_LEVEL and (hint < 0 or hint >= broken.level)
    return hint in (-1, broken.level)
