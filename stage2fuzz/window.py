"""The window TLB: not what a TLB holds, but what it might still hold.

Storing TLB contents would make every TLB bug need a lucky fill. Instead each entry location keeps
the history of its visible values, and each processing element (PE) two indices into it: values
from ``stage2_low`` on may sit in its stage-2-only TLB entries and walk caches, leaves from
``combined_low`` on in its combined stage-1 and stage-2 entries. A TLBI notes the ends of the
histories when it is issued and moves the indices when its DSB completes. "Could any PE still use
this?" is then a question with one answer, and no schedule byte is spent on it.

Entries that would give a translation or an access-flag fault are never cached (IWZCBG), so a
location needs a record only once it was written over a valid, cacheable value; the record vanishes
when every PE is clean. That keeps the common case down to one look at an empty dictionary.
Entries below an unlinked table get records too (``unlink``): they may stay cached when nothing
links to them any more.

The model answers 22 of 22 litmus shapes as the ESOP'22 "Relaxed virtual memory in Armv8-A" model
does, or as derived from it; with one index instead of two, three come out wrong.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from stage2fuzz.arch import (
    ENTRY_SIZE,
    LAST_LEVEL,
    PTE_ADDRESS,
    PTE_AF,
    PTE_TYPE,
    PTE_VALID,
    SHIFTS,
)
from stage2fuzz.events import (
    DSB_ISH,
    DSB_NSH,
    TLBI_ALLE1,
    TLBI_BROADCAST,
    TLBI_IPAS2E1,
    TLBI_LAST_LEVEL,
    TLBI_OPERATION,
    TLBI_VMALLE1,
    TREE_SHIFT,
    tlbi_level,
)

STALE_DEPTH: Final = 8
"""Values one history keeps; older ones are forgotten."""

Entry = tuple[int, int, int, int]
"""(location, level, first IPA, value) of one table entry."""


def cacheable(value: int, level: int) -> bool:
    """Whether a TLB may keep ``value``: valid and, if a leaf, with its access flag set."""
    return bool(value & PTE_VALID) and bool(
        value & PTE_AF or (level < LAST_LEVEL and value & PTE_TYPE == PTE_TYPE)
    )


class Record:
    """The recent values of one entry location, the last one current, and what each PE may hold."""

    __slots__ = ("base", "combined_low", "end", "ipa", "level", "location", "stage2_low", "values")

    def __init__(
        self, location: int, level: int, ipa: int, value: int, pes: int, shift: int
    ) -> None:
        self.location, self.level, self.ipa = location, level, ipa
        self.end = ipa + (1 << shift)
        self.values = [value]
        self.base = 0
        """Index of ``values[0]`` in the whole history."""
        self.stage2_low = [0] * pes
        self.combined_low = [0] * pes

    def append(self, value: int) -> None:
        """``value`` became visible; the oldest one is forgotten beyond ``STALE_DEPTH``."""
        values = self.values
        values.append(value)
        if len(values) > STALE_DEPTH:
            del values[0]
            self.base += 1

    @property
    def last(self) -> int:
        """Index of the current value in the whole history."""
        return self.base + len(self.values) - 1

    def stale(self, pe: int, upto: int | None = None) -> list[int]:
        """What ``pe`` may use besides the current value, newest first, each value once.

        With ``upto``, only what was visible at that index of the history or before.
        """
        values, level, base = self.values, self.level, self.base
        stage2, combined = self.stage2_low[pe], self.combined_low[pe]
        newest = len(values) - 2 if upto is None else min(len(values) - 2, upto - base)
        found: list[int] = []
        for index in range(newest, max(-1, min(stage2, combined) - base - 1), -1):
            value = values[index]
            if not cacheable(value, level) or value == values[-1] or value in found:
                continue
            is_leaf = level == LAST_LEVEL or value & PTE_TYPE != PTE_TYPE
            if index + base >= stage2 or (is_leaf and index + base >= combined):
                found.append(value)
        return found

    def flushable(self) -> bool:
        """Whether a stage-2-only entry or walk cache of any PE may hold a value not current."""
        current, level = self.values[-1], self.level
        first = max(0, min(self.stage2_low) - self.base)
        return any(cacheable(value, level) and value != current for value in self.values[first:-1])

    def clean(self) -> bool:
        """Whether no PE may hold anything but the current value."""
        last = self.base + len(self.values) - 1
        if min(self.stage2_low) >= last and min(self.combined_low) >= last:
            return True
        return not any(self.stale(pe) for pe in range(len(self.stage2_low)))


class Window:
    """What each PE may still use of one VM's stage-2 tables.

    Feed it visible writes only (a pending store counts when it drains) and only the TLBIs that
    name one of this VM's VMIDs or all of them; the bits of an address from ``TREE_SHIFT`` on say
    of which.
    """

    __slots__ = ("_orphans", "_pending", "_pes", "_records", "shifts", "strict_table_hints")

    def __init__(self, pes: int, strict_table_hints: bool = False) -> None:
        """``pes`` is the number of vCPUs.

        With ``strict_table_hints`` a TTL hint that names the level of a removed *table* does not
        cover it, as the manual says; kernels before v6.8 gave such hints (fix 36e008323926), which
        is harmless on CPUs that ignore hints.
        """
        self.strict_table_hints = strict_table_hints
        self.shifts: tuple[int, ...] = SHIFTS
        """Of the granule, by level."""
        self.reset(pes)

    def reset(self, pes: int) -> None:
        """Forget everything: a new run with this many PEs begins."""
        self._pes = pes
        self._records: dict[int, Record] = {}
        self._orphans: list[Record] = []
        self._pending: dict[int, list[tuple[Record, bool, int, list[int] | None]]] = {}

    def __bool__(self) -> bool:
        """Whether anything may be stale at all."""
        return bool(self._records or self._orphans)

    def __iter__(self) -> Iterator[Record]:
        """All records, in the order in which their locations became stale."""
        yield from self._records.values()
        yield from self._orphans

    def write(self, location: int, level: int, ipa: int, old: int, new: int) -> None:
        """The visible value of a linked ``location`` changed from ``old`` to ``new``.

        ``ipa`` is the first address the entry covers. Writes to tables that no walk can reach are
        not reported here.
        """
        record = self._records.get(location) if self._records else None
        if record is None:
            if old == new or not cacheable(old, level):
                return
            record = self._records[location] = Record(
                location, level, ipa, old, self._pes, self.shifts[level]
            )
        elif record.ipa != ipa or record.level != level:
            # The table page was freed and used again elsewhere: what was cached of its old life
            # still translates the old addresses.
            record.append(0)
            self._orphans.append(self._records.pop(location))
            self.write(location, level, ipa, old, new)
            return
        elif record.values[-1] != old:
            # An unlinked table was linked again: its entries are current once more.
            record.append(old)
        record.append(new)

    def unlink(self, below: Iterable[Entry]) -> None:
        """A table was unlinked: the valid entries ``below`` it may stay cached until a TLBI."""
        for location, level, ipa, value in below:
            self.write(location, level, ipa, value, 0)

    def tlbi(self, thread: int, where: int, size: int, aux: int) -> None:
        """``thread`` issues a TLBI (fields as in the TLBI event); only its DSB makes it count."""
        if not self._records and not self._orphans:
            return
        operation = aux & TLBI_OPERATION
        broadcast = bool(aux & TLBI_BROADCAST)
        issued = self._pending.setdefault(thread, [])
        for record in (*self._records.values(), *self._orphans):
            if record.ipa >> TREE_SHIFT != where >> TREE_SHIFT and operation != TLBI_ALLE1:
                continue
            end = record.base + len(record.values) - 1
            if operation == TLBI_VMALLE1:
                issued.append((record, broadcast, -1, record.stage2_low.copy()))
            elif operation != TLBI_IPAS2E1:
                issued.append((record, broadcast, end, [end] * self._pes))
            elif record.ipa < where + max(size, 1) and where < record.end:
                issued.append((record, broadcast, self._hinted_end(record, end, aux), None))

    def _hinted_end(self, record: Record, end: int, aux: int) -> int:
        """How far a TLBI by IPA cleans a location it covers, given its hint and last-level bit.

        A history may hold tables and leaves; it is clean up to the first value that the TLBI need
        not touch.
        """
        hint = tlbi_level(aux)
        last_level_only = aux & TLBI_LAST_LEVEL
        if hint < 0 and not last_level_only:
            return end
        level = record.level
        low = min(record.stage2_low)
        for index, value in enumerate(record.values[:-1], record.base):
            if index < low or not cacheable(value, level):
                continue
            if level == LAST_LEVEL or value & PTE_TYPE != PTE_TYPE:
                covered = hint in (-1, level)
            elif last_level_only:
                covered = False
            else:
                covered = (
                    hint < 0 or hint > level or (hint == level and not self.strict_table_hints)
                )
            if not covered:
                return index
        return end

    def dsb(self, thread: int, kind: int) -> None:
        """``thread`` completes a barrier of ``kind`` (DSB_*): its TLBIs take effect.

        DSB ISH completes all of them, DSB NSH the local ones; store-only barriers none.
        """
        issued = self._pending.get(thread)
        if not issued or kind not in (DSB_ISH, DSB_NSH):
            return
        waiting = []
        for item in issued:
            record, broadcast, stage2, combined = item
            if broadcast and kind == DSB_ISH:
                record.stage2_low = [low if low > stage2 else stage2 for low in record.stage2_low]
                if combined is not None:
                    record.combined_low = list(map(max, record.combined_low, combined))
            elif broadcast:
                waiting.append(item)
                continue
            elif thread < self._pes:
                record.stage2_low[thread] = max(record.stage2_low[thread], stage2)
                if combined is not None:
                    record.combined_low[thread] = max(record.combined_low[thread], combined[thread])
            if record.clean():
                self._forget(record)
        self._pending[thread] = waiting

    def _forget(self, record: Record) -> None:
        """Nothing of ``record`` can be cached any more."""
        if self._records.get(record.location) is record:
            del self._records[record.location]
        elif record in self._orphans:
            self._orphans.remove(record)

    def record(self, location: int) -> Record | None:
        """The record of ``location`` if anything there may be stale."""
        return self._records.get(location)

    def may(self, pe: int, location: int, current: int) -> Sequence[int]:
        """The descriptors a walk by ``pe`` may read at ``location``: current, then new to old."""
        record = self._records.get(location) if self._records else None
        if record is None:
            return (current,)
        return (current, *(value for value in record.stale(pe) if value != current))

    def leaves(
        self, pe: int, ipa: int, read: Callable[[int], int] | None = None
    ) -> list[tuple[int, int]]:
        """The (value, level) of stale leaves that may translate ``ipa`` for ``pe``.

        These come beyond the live walk; an empty list is the common case. With ``read`` (visible
        memory by location), leaves that are current in a table reached only by a stale table
        entry are found too.
        """
        found: list[tuple[int, int]] = []
        if not self._records and not self._orphans:
            return found
        for record in self:
            if not record.ipa <= ipa < record.end:
                continue
            level = record.level
            for value in record.stale(pe):
                if level == LAST_LEVEL or value & PTE_TYPE != PTE_TYPE:
                    found.append((value, level))
                elif read is not None:
                    leaf = _walk(value, level, ipa, read, self.shifts)
                    if leaf is not None and leaf not in found:
                        found.append(leaf)
        return found

    def walker_of(self, page: int) -> int:
        """A PE that may still hold a stale table entry for ``page``, or -1."""
        for record in self:
            if record.level == LAST_LEVEL:
                continue
            for pe in range(self._pes):
                for value in record.stale(pe):
                    if value & PTE_TYPE == PTE_TYPE and value & PTE_ADDRESS == page:
                        return pe
        return -1

    def state(self) -> tuple[tuple[object, ...], ...]:
        """What is stale, as a value that is equal again when the same situation returns."""
        return tuple(
            sorted(
                (record.location, tuple(tuple(record.stale(pe)) for pe in range(self._pes)))
                for record in self
            )
        )


def _walk(
    value: int, level: int, ipa: int, read: Callable[[int], int], shifts: tuple[int, ...]
) -> tuple[int, int] | None:
    """The cacheable leaf that a walk finds from the table entry ``value`` of ``level``, if any."""
    while level < LAST_LEVEL and value & PTE_TYPE == PTE_TYPE:
        level += 1
        offset = (ipa >> shifts[level]) * ENTRY_SIZE & (1 << shifts[LAST_LEVEL]) - 1
        value = read((value & PTE_ADDRESS) + offset)
    return (value, level) if cacheable(value, level) else None
