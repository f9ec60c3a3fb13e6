"""What a run means to others, as a set of observations: the atoms that two engines are compared by.

An atom is something that a guest, a VMM, the host or a review could see: how a fault ended, what a
call returned, what the dirty log and the host's pages say of what was written, the final table,
pages that are never given back. It says nothing of the order of steps, of how often an entry was
read, or of function names, so an engine that only does its work in another order has the same ones.
Work is counted apart.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from stage2fuzz import events as ev
from stage2fuzz.arch import (
    ACCESS_NAMES,
    FAULT_NAMES,
    PTE_AF,
    PTE_MEMATTR,
    WRITE,
    rights,
    rights_text,
)
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.events import CALL_CODE, CALL_NAMES, Event
from stage2fuzz.studies.anchored import QUIET_CALLS, final_leaves

_TLBIS: Final = {
    ev.TLBI_IPAS2E1: "by IPA",
    ev.TLBI_VMALLE1: "of stage 1",
    ev.TLBI_VMALLS12E1: "of the whole VM",
}
_CALL_RESULTS: Final = frozenset(CALL_NAMES) - QUIET_CALLS


class Atom(NamedTuple):
    """One observation."""

    topic: str
    what: str
    """In words, without vCPU, page or address."""
    where: int = 0
    """The guest page, or the thread, that it is about: told apart, and not shown."""


def observe(events: Sequence[Event], scenario: Scenario) -> frozenset[Atom]:
    """The atoms of a run."""
    return _Observer().of(events, scenario)


class _Observer:
    """What a run has shown so far."""

    def __init__(self) -> None:
        self._atoms: set[Atom] = set()
        self._written: set[int] = set()
        self._writable: set[int] = set()
        self._marked: set[int] = set()
        self._host_dirty: set[int] = set()
        self._pins: Counter[int] = Counter()
        self._pages: set[int] = set()
        self._holds: Counter[int] = Counter()
        self._faults: dict[int, tuple[int, int]] = {}
        self._hear: dict[int, Callable[[Event], None]] = {
            ev.FAULT: self._fault,
            ev.RESUME: self._resume,
            ev.RETURN: self._returned,
            ev.ACCESS: self._access,
            ev.MARK_DIRTY: lambda event: self._marked.add(event[2]),
            ev.PIN: self._pin,
            ev.UNPIN: lambda event: self._pins.subtract((event[4],)),
            ev.PFN_DIRTY: self._dirtied,
            ev.LOCK: lambda event: self._holds.update((event[1],) * (event[2] == ev.LOCK_MMU)),
            ev.UNLOCK: lambda event: self._holds.subtract((event[1],) * (event[2] == ev.LOCK_MMU)),
            ev.ALLOC: lambda event: self._pages.add(event[2]),
            ev.FREE: lambda event: self._pages.discard(event[2]),
            ev.WARN: lambda event: self._see("warnings", f"the kernel warns ({event[5]})"),
            ev.DEADLOCK: lambda _event: self._see("results", "the run ends by a deadlock"),
            ev.CRASH: lambda _event: self._see("results", "the run ends by a crash"),
        }

    def of(self, events: Sequence[Event], scenario: Scenario) -> frozenset[Atom]:
        """The atoms of a whole run."""
        for event in events:
            hear = self._hear.get(event[0])
            if hear is not None:
                hear(event)
        self._pages_written()
        if scenario.options.teardown and self._pages:
            self._see("leaks", f"{len(self._pages)} table pages are never freed")
        for ipa, level, pte in final_leaves(events):
            aged = "" if pte & PTE_AF else " without AF"
            text = f"{rights_text(rights(pte))} at level {level}, attributes {pte & PTE_MEMATTR:#x}"
            self._see("final table", f"a leaf {text}{aged}", ipa)
        return frozenset(self._atoms)

    def _see(self, topic: str, what: str, where: int = 0) -> None:
        self._atoms.add(Atom(topic, what, where))

    def _fault(self, event: Event) -> None:
        self._faults[event[1]] = event[3], event[4]

    def _resume(self, event: Event) -> None:
        access, status = self._faults.get(event[1], (event[3], 0))
        fault = f"{ACCESS_NAMES[access]} {FAULT_NAMES.get(status, '?')} fault"
        self._see("results", f"a {fault} ends with {event[4]}", event[2])

    def _returned(self, event: Event) -> None:
        call = event[5] & CALL_CODE
        if call in _CALL_RESULTS:
            self._see("results", f"{CALL_NAMES[call]} returns {event[4]}", event[2])

    def _access(self, event: Event) -> None:
        if event[3] == WRITE:
            self._written.add(event[2])

    def _pin(self, event: Event) -> None:
        if event[4]:
            self._pins[event[4]] += 1
            if event[5] & ev.HOST_WRITE:
                self._writable.add(event[4])

    def _dirtied(self, event: Event) -> None:
        self._host_dirty.add(event[4])
        how = "" if self._holds[event[1]] > 0 else " after mmu_lock was dropped"
        self._see("host pages", f"the host's page is marked dirty{how}", event[2])

    def _pages_written(self) -> None:
        for ipa in self._written | self._marked:
            told = "marked dirty" if ipa in self._marked else "not marked dirty"
            wrote = "written" if ipa in self._written else "not written"
            self._see("dirty log", f"a page is {wrote} and {told}", ipa)
        for page in self._writable:
            told = "dirty" if page in self._host_dirty else "not dirty"
            self._see("host pages", f"a page looked up for writing is {told} for the host", page)
        for page, count in self._pins.items():
            if count > 0:
                self._see("leaks", "a host page's reference is never dropped", page)


def work(events: Sequence[Event]) -> Counter[tuple[str, str]]:
    """How much of each kind of work a run was: (topic, what) -> how often."""
    done: Counter[tuple[str, str]] = Counter()
    for kind, thread, where, _old, _new, aux in events:
        if thread < 0:
            continue
        if kind == ev.QUIESCENT:
            break
        if kind == ev.FAULT:
            done["faults", "faults"] += 1
        elif kind == ev.TLBI:
            name = _TLBIS.get(aux & ev.TLBI_OPERATION, "of everything")
            scope = "broadcast" if aux & ev.TLBI_BROADCAST else "local"
            done["TLB maintenance", f"{scope} TLBIs {name}"] += 1
        elif kind == ev.LOCK:
            done["locks", f"holds of lock {where} ({'shared' if aux else 'exclusive'})"] += 1
        elif kind in (ev.DCACHE_CLEAN, ev.ICACHE_INVALIDATE):
            done["cache maintenance", ev.KINDS[kind].name] += 1
    return done


def size(case: Case) -> int:
    """What makes an example long to read."""
    return len(repr(case.scenario)) + len(case.schedule.runs)
