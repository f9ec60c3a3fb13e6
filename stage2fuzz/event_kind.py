"""EventKind: the form of one row in the table of events (``events.KINDS``).

A row says everything about a kind of event that more than one part must know. Two of its columns
decide which interleavings count as one, so they have no default: a new kind must say what it
depends on before it can exist. Both are generous. ``depends`` serves strategies and the exhaustive
search, which see a step before it is taken and know its kind and location only; ``meets`` serves
the C side's classes of runs, which see the whole event.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NamedTuple

FIELDS: Final = {
    "address": "host physical address; of a crash the one that faulted",
    "argument": "what the call was given beside its range, such as a physical address",
    "asked": "HOST_WRITE where a writable page was asked for",
    "barrier": "DSB_*",
    "before": "what it was before; of a context the VMID that VTTBR_EL2 held",
    "bits": "IPA bits, or'ed with ROOT_*",
    "by_clear": "0: reported by KVM_GET_DIRTY_LOG, 1: by KVM_CLEAR_DIRTY_LOG",
    "code": "CALL_*",
    "cpu": "whose TLB it is",
    "count": "references of a page, or invalidations under way, after the event",
    "flags": "SLOT_* of a slot, HOST_* of a host page",
    "dirty": "1: it holds what was written before",
    "folio": "bytes of memory that one flag of the host says to be initialised",
    "form": "which TLBI: see tlbi_aux()",
    "found": "the value that a compare-exchange met",
    "gfn": "page number of a guest",
    "held": "bit mask of the locks (1 << LOCK_*) that the thread holds",
    "ipa": "guest physical address; of a range or page its first; 0 where a TLBI names none",
    "kind": "READ, WRITE or EXECUTE, as a syndrome would tell it",
    "level": "of the entry, 0 to 3; of a root that of its entries",
    "limit": "LIMIT_*",
    "location": "address of a table entry",
    "lock": "LOCK_*",
    "new": "the entry's value after; of a drain the value that becomes visible",
    "number": "of the access in its vCPU",
    "old": "the entry's value before; of a drain the visible one",
    "operation": "HypOp",
    "order": "ORDER_*, or'ed with PENDING",
    "outside": "1: the address lies in no slot",
    "page": "address of a table page",
    "pages": "how many the cache is to hold",
    "pfn": "page of the host, counted from the first that a case names; of a load the vCPU",
    "pte": "the descriptor that was read or used",
    "request": "CALL_*, or'ed with the PROT_* that the call asks for << 8",
    "result": "what was returned, negative where it failed; of a resume 1 and 2: guest",
    "retry": "1: an invalidation came in between",
    "sampled": "the sequence that the fault read",
    "sequence": "mmu_notifier_seq",
    "shared": "0: exclusive, 1: shared",
    "signal": "its number",
    "size": "bytes; of a slot 0: deleted; of a TLBI 0: one entry",
    "slot": "the slot's number",
    "state": "host's STATE_*, EL2's << 4, count << 8; of a mapping its entry's and MAPPED_*",
    "status": "TRANSLATION, ACCESS_FLAG, PERMISSION, UNSUPPORTED_ACCESS or EXTERNAL_ABORT",
    "store": "1: it writes",
    "system": "0: from the memory cache, 1: from the system, 2: from the system, atomically",
    "tree": "TREE_*; of a store or'ed with the locks held << HELD_SHIFT",
    "value": "the first word of the page",
    "vcpu": "whose page of registers it is, as KVM numbers vCPUs",
    "vm": "of the case; -1: none",
    "vmid": "of the VM; of a context that now in VTTBR_EL2; below 0 for a hyp root",
    "walk": "the level (FAULT_LEVEL), or'ed with what the instruction was << FAULT_HOW_SHIFT",
    "waiting": "bit mask of the threads that wait",
    "wanted": "the value that a compare-exchange would have written",
    "warning": "WARN_*",
    "writable": "1: the page may be written to through it",
}
"""The words of all layouts: what a field of that name means, in any kind."""
UNUSED: Final = "-"
"""Stands in a layout for a payload field that is always zero."""


class Dependence(Enum):
    """What a step is to other threads; ``schedule/dependence.py`` says which of these depend."""

    EVERYTHING = auto()
    """Nothing is known of it: it may be swapped with no step at all."""
    READ = auto()
    """It reads the table entry at its location."""
    WRITE = auto()
    """It may change the table entry at its location."""
    PAGE = auto()
    """It is about a whole table page, at its location."""
    LOCK = auto()
    """It takes or releases the lock that its location names."""
    BARRIER = auto()
    """It orders or invalidates translations: every access and every entry."""
    GUEST = auto()
    """It is the guest's access, which uses what a TLB holds."""
    HOST_READ = auto()
    """It looks at the notifier's counters or at host pages."""
    HOST_WRITE = auto()
    """It changes slots, host pages, notifier counters or dirty bits, or looks a page up."""
    TOPUP = auto()
    """It takes pages from the system's allocator."""


class Hearing(Enum):
    """When an oracle, or the world that they share, hears of an event; a test compares."""

    ALWAYS = auto()
    WHEN_FREED = auto()
    """Only where the event touches a table page that was freed (``Oracle.late``)."""
    NEVER = auto()
    """By no oracle: only reports and features look at it."""


class Place(Enum):
    """Where events of different threads meet."""

    ENTRY = auto()
    """The table entry at the event's location."""
    PAGE = auto()
    """The table page that the event's location lies in."""
    WALKED = auto()
    """The table entry at which the thread's hardware walk ended."""
    TLB = auto()
    """What TLBs may hold."""
    TREE = auto()
    """The visible tables as a whole."""
    HOST = auto()
    """Slots, host pages and dirty bits."""
    SEQUENCE = auto()
    """The notifier's sequence and count."""
    READERS = auto()
    """The RCU read sections."""


class Side(Enum):
    """From which side an event comes to a place: it depends on those from the side it is not on."""

    READS = auto()
    """On one side: readers commute."""
    WRITES = auto()
    """On both: it commutes with nobody."""
    ONE = auto()
    OTHER = auto()
    """What commutes with its kind but not with another, such as two stores to two entries, but a
    store and the TLBI that may cover it."""


class When(Enum):
    """On which condition an event comes to a place; ``fold.c`` has the C text of each."""

    ALWAYS = auto()
    VALID = auto()
    """The value that it stores is a valid entry."""
    LINKED = auto()
    """The table page was linked before."""
    COMPLETES = auto()
    """The barrier completes TLBIs."""
    HOST_CALL = auto()
    """The call is one of the host's."""
    TREE_CALL = auto()
    """What the tree was when the call began decides what it promises: of access flags, or of all
    that was mapped then."""
    REMOVES = auto()
    """The call takes translations away, so its return is asked about TLBs."""
    MMAP = auto()
    """The lock is the mmap lock, under which a fault looks at the host's mapping."""
    PROMISES = auto()
    """The call's promise is looked up in the tree when it returns."""


class Meeting(NamedTuple):
    """A place that an event comes to."""

    place: Place
    side: Side
    when: When = When.ALWAYS


class Label(Enum):
    """Which location a feature is of, and what it is labelled with beside its code."""

    ENTRY = auto()
    """The event's location; labelled with the class of the entry's value."""
    WHERE = auto()
    """The event's location."""
    SEQUENCE = auto()
    """One location for all: the notifier's counters."""
    TLB = auto()
    """One location for all: what TLBs hold."""


class Feature(NamedTuple):
    """The step of an interleaving feature that an event is (``fuzz/features.py``)."""

    code: int
    """1 to 31, its own for each kind; it stays, since features are counted over a campaign."""
    label: Label


@dataclass(frozen=True, slots=True)
class EventKind:
    """What is known of one kind of event."""

    number: int
    name: str
    """As logs and JSON print it; an oracle's handler has this name with ``_`` for ``-``."""
    layout: str
    """The names of ``where``, ``old``, ``new`` and ``aux``, ``UNUSED`` where always zero; the words
    are explained in ``FIELDS``."""
    depends: Dependence
    meets: tuple[Meeting, ...]
    """In the order in which the class of a run takes them in."""
    heard: Hearing = Hearing.ALWAYS
    feature: Feature | None = None
    """None for an event that tells of one thread's progress only, or of nothing that repeats."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The four names of the layout."""
        return tuple(self.layout.split())
