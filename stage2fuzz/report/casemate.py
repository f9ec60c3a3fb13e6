"""A run as a trace that casemate-check reads: a judge of break-before-make that is not ours.

Casemate (rems-project on GitHub, version 3.0) is a model of Arm's rules for page tables, with a
checker of traces. Its notions are narrower than ours in places, and the trace is made to fit:
one root of 39 or 48 IPA bits, at most four threads, TLBIs that are broadcast, tables that the root
reaches.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from stage2fuzz import events as ev
from stage2fuzz.arch import (
    GRANULE_4K,
    GRANULES,
    LAST_LEVEL,
    PAGE_SIZE,
    PTE_AF,
    PTE_VALID,
    address_of,
    is_leaf,
    is_table,
)
from stage2fuzz.errors import InputError
from stage2fuzz.events import Event
from stage2fuzz.source import Stack

MOST_THREADS: Final = 4
"""As its sources come."""
MMU_LOCK: Final = 0x1000
"""An address for the lock: no page of ours is there."""
MOST_PAGES: Final = 512
"""Pages of a range that are named one by one; a larger one is a TLBI of the whole VMID."""
RIGHTS: Final = 3 << 6 | 3 << 53
"""S2AP and XN."""
IGNORED: Final = 1 << 51 | 0xF << 55
"""DBM and the bits that hardware leaves to software."""
READABLE: Final = 1 << 6
_T0SZ: Final = {0: 64 - 48, 1: 64 - 39}
"""Level of the root -> what VTCR_EL2 says of it. Of 40 bits' root the second page is left out."""
_BITS: Final = {0: (48,), 1: (39, 40)}
_DSBS: Final = {ev.DSB_ISH: "ish", ev.DSB_ISHST: "ishst"}
_WHOLE: Final = {
    ev.TLBI_VMALLE1: "vmalle1is",
    ev.TLBI_VMALLS12E1: "vmalls12e1is",
    ev.TLBI_ALLE1: "alle1is",
}


def casemate_trace(
    events: Sequence[Event], stacks: Sequence[Stack] = (), projected: bool = False
) -> str:
    """The trace, a record a line. InputError for a run that casemate can't hold.

    ``projected`` gives every leaf no access flag and the same rights: what is left to judge is
    where it leads, its memory type and its size. The trace ends where the VM is torn down.
    """
    return "".join(_CasemateTrace(events, stacks, projected).lines())


def keeps_locks(events: Sequence[Event]) -> bool:
    """Whether the trace of a run has its locks; without them the checker needs ``-R``.

    Casemate knows exclusive locks only, and wants every store of a table below one.
    """
    holder = None
    for kind, thread, where, *_, aux in events:
        if kind == ev.LOCK and where == ev.LOCK_MMU:
            if aux:
                return False
            holder = thread
        elif kind == ev.UNLOCK and where == ev.LOCK_MMU:
            holder = None
        elif kind == ev.STORE and holder != thread:
            return False
    return True


class _CasemateTrace:
    def __init__(self, events: Sequence[Event], stacks: Sequence[Stack], projected: bool) -> None:
        self._events, self._stacks, self._projected = _before_teardown(events), stacks, projected
        self._number = 0
        self._locks = keeps_locks(self._events)
        roots = [each for each in events if each[0] == ev.ROOT and each[4] >= 0]
        if ev.granule_of(events) is not GRANULE_4K:
            raise InputError("casemate", "pages of another size", "a run with pages of 4 KiB")
        if len(roots) != 1:
            raise InputError("casemate", f"the run has {len(roots)} stage-2 roots", "one")
        _, _, self._root, self._level, self._vmid, form = roots[0]
        bits = form & ev.ROOT_BITS
        if bits not in _BITS.get(self._level, ()):
            raise InputError("casemate", f"an IPA space of {bits} bits", "39, 40 or 48 bits")
        self._threads = sorted({each[1] for each in events if each[1] != ev.SETUP})
        if len(self._threads) > MOST_THREADS:
            what = f"the run has {len(self._threads)} threads"
            raise InputError("casemate", what, f"at most {MOST_THREADS}")
        self._levels = self._tables()
        self._live: set[int] = set()
        self._broken: dict[int, list[tuple[int, int]]] = {}
        """Thread -> IPA ranges of tables that it has taken out since its last whole TLBI."""
        self._first = {self._root: 0}
        """Table page -> the first IPA below it."""

    def lines(self) -> Iterator[str]:
        """Set-up, then each event that casemate has a record for."""
        yield self._line(0, "sysreg-write", f"(sysreg vtcr_el2) (value {_T0SZ[self._level]:#x})")
        made = {each[2] for each in self._events if each[0] == ev.ALLOC}
        for page in sorted(set(self._levels) - made):
            yield from self._birth(0, page, "set-up:0")
        yield self._line(
            0, "hint", f"(kind set_root_lock) (location {self._root:#x}) (value {MMU_LOCK:#x})"
        )
        for page in sorted(set(self._levels) - made - {self._root}):
            yield self._owner(0, page, "set-up:0")
        value = self._vmid << 48 | self._root
        for thread in self._threads:
            yield self._line(thread, "sysreg-write", f"(sysreg vttbr_el2) (value {value:#x})")
        for index, event in enumerate(self._events):
            if event[1] != ev.SETUP:
                yield from self._event(index, event)

    def _event(self, index: int, event: Event) -> Iterator[str]:
        kind, thread, where, old, new, aux = event
        place = self._place(index)
        match kind:
            case ev.LOCK | ev.UNLOCK if self._locks and where == ev.LOCK_MMU:
                name = "lock" if kind == ev.LOCK else "unlock"
                yield self._line(thread, name, f"(address {MMU_LOCK:#x})", place)
            case ev.ALLOC if where in self._levels:
                yield from self._birth(thread, where, place)
                yield self._owner(thread, where, place)
            case ev.ZERO if where in self._live:
                yield self._line(
                    thread, "mem-set", f"(address {where:#x}) (size 0x1000) (value 0x0)", place
                )
            case ev.FREE | ev.FREE_DEFERRED if where in self._live:
                self._live.discard(where)
                yield self._line(thread, "mem-free", f"(address {where:#x}) (size 0x1000)", place)
            case ev.STORE:
                yield from self._store(thread, where, old, new, aux, place)
            case ev.DSB if aux in _DSBS:
                yield self._line(thread, "barrier", f"dsb (kind {_DSBS[aux]})", place)
            case ev.ISB:
                yield self._line(thread, "barrier", "isb", place)
            case ev.TLBI if aux & ev.TLBI_BROADCAST:
                yield from self._tlbi(thread, where, old, aux, place)

    def _store(
        self, thread: int, where: int, old: int, new: int, aux: int, place: str
    ) -> Iterator[str]:
        page = where & ~(PAGE_SIZE - 1)
        if page not in self._live:
            return
        level = self._levels[page]
        first = self._first.get(page, 0) + (where - page) // 8 * GRANULES[level]
        if is_table(new, level):
            self._first[address_of(new)] = first
        if is_table(old, level) and not new & PTE_VALID:
            self._broken.setdefault(thread, []).append((first, first + GRANULES[level]))
        order = "plain" if aux & 0xFF == ev.ORDER_PLAIN else "release"
        value = self._value(new, level)
        yield self._line(
            thread,
            "mem-write",
            f"(mem-order {order}) (address {where:#x}) (value {value:#x})",
            place,
        )

    def _value(self, pte: int, level: int) -> int:
        """An entry as the trace has it."""
        if not self._projected or not pte & PTE_VALID or not is_leaf(pte, level):
            return pte
        return pte & ~(PTE_AF | RIGHTS | IGNORED) | READABLE

    def _tlbi(self, thread: int, ipa: int, size: int, aux: int, place: str) -> Iterator[str]:
        operation = aux & ev.TLBI_OPERATION
        if operation != ev.TLBI_IPAS2E1:
            if operation != ev.TLBI_VMALLE1:
                self._broken.pop(thread, None)
            yield self._line(thread, "tlbi", _WHOLE[operation], place)
            return
        end = ipa + max(size, PAGE_SIZE)
        broken = self._broken.get(thread, [])
        if end - ipa > MOST_PAGES * PAGE_SIZE or any(a < end and ipa < b for a, b in broken):
            self._broken.pop(thread, None)
            yield self._line(thread, "tlbi", "vmalls12e1is", place)
            return
        for page in range(ipa, end, PAGE_SIZE):
            yield self._line(thread, "tlbi", f"ipas2e1is (value {page >> 12:#x})", place)

    def _birth(self, thread: int, page: int, place: str) -> Iterator[str]:
        self._live.add(page)
        yield self._line(thread, "mem-init", f"(address {page:#x}) (size 0x1000)", place)

    def _owner(self, thread: int, page: int, place: str) -> str:
        said = f"(kind set_owner_root) (location {page:#x}) (value {self._root:#x})"
        return self._line(thread, "hint", said, place)

    def _tables(self) -> dict[int, int]:
        """Every page that is ever linked below the root -> the level of its entries."""
        levels = {self._root: self._level}
        before = 0
        while len(levels) != before:  # a subtree may be filled before it is linked
            before = len(levels)
            for kind, _, where, _, new, _ in self._events:
                level = levels.get(where & ~(PAGE_SIZE - 1))
                linked = kind == ev.STORE and level is not None and level < LAST_LEVEL
                if linked and level is not None and is_table(new, level):
                    levels[address_of(new)] = level + 1
        return levels

    def _place(self, index: int) -> str:
        """File and line of the user's tree, or the event's number; the checker wants a colon."""
        stack = self._stacks[index] if self._stacks else ()
        return f"{stack[0].file}:{stack[0].line}" if stack else f"event:{index}"

    def _line(self, thread: int, record: str, fields: str, place: str = "set-up:0") -> str:
        number, self._number = self._number, self._number + 1
        tid = self._threads.index(thread) if thread in self._threads else 0
        return f'({record} (id {number}) (tid {tid}) {fields} (src "{place}"))\n'


def _before_teardown(events: Sequence[Event]) -> Sequence[Event]:
    """A run up to where its VM is torn down: tables are then freed as they are."""
    for index, event in enumerate(events):
        if event[0] == ev.CALL and event[5] & ev.CALL_CODE in (ev.CALL_DESTROY, ev.CALL_TEARDOWN):
            return events[:index]
    return events
