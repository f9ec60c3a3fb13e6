"""The C runtime's interface, written once: its structs and functions, for C and for ctypes.

The structs are ctypes classes; ``header`` turns them and the functions into ``abi.h``, which every
module of the runtime and the interface itself are compiled against, so a definition that differs
does not compile. Sizes and offsets are asserted there as ctypes has them. A library remembers the
``fingerprint`` of the interface that it was compiled with; ``bind`` refuses any other.
"""

import ctypes
import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from stage2fuzz.case.scenario import MAX_HOST_THREADS, MAX_VCPUS
from stage2fuzz.errors import InputError
from stage2fuzz.events import LIMIT_NAMES

LIMITS: Final = max(LIMIT_NAMES) + 1
THREADS: Final = MAX_VCPUS + MAX_HOST_THREADS
DEPTH: Final = 24
"""Calls of an event's stack that are kept, ours between kernel code and event included."""


class CallEnd(IntEnum):
    """How a call of the C side came back: the run's end, or a question to a scheduler."""

    FINISHED = 0
    DEADLOCK = 1
    LIMIT = 2
    CRASH = 3
    ASK = 4
    """Which thread runs, and for how many points?"""
    ASK_CHOICE = 5
    """Which of ``S2View.options``?"""
    BUG = 6
    """An assertion of the runtime failed: our own bug; ``s2_failure`` has the words."""


class S2Event(ctypes.Structure):
    """One event as the C side records it, 32 bytes; the tuple's order is another (events.py)."""

    _fields_ = (
        ("kind", ctypes.c_int16),
        ("thread", ctypes.c_int16),
        ("aux", ctypes.c_int32),
        ("where", ctypes.c_int64),
        ("old", ctypes.c_int64),
        ("new_", ctypes.c_int64),
    )


class S2Run(ctypes.Structure):
    """One run of a schedule: a thread and the points that it passed."""

    _fields_ = (("thread", ctypes.c_int32), ("points", ctypes.c_int32))


class S2Pending(ctypes.Structure):
    """The step before which a thread stands."""

    _fields_ = (("kind", ctypes.c_int64), ("where", ctypes.c_int64))


class S2View(ctypes.Structure):
    """What a scheduler may look at when it is asked."""

    _fields_ = (
        ("enabled", ctypes.c_int64),
        ("current", ctypes.c_int64),
        ("left", ctypes.c_int64),
        ("yielded", ctypes.c_int64),
        ("options", ctypes.c_int64),
        ("pending", S2Pending * THREADS),
    )
    enabled: int
    current: int
    left: int
    yielded: int
    options: int
    pending: Any


class S2Counts(ctypes.Structure):
    """What was counted in the last run, and how it left the schedule that it was to follow."""

    _fields_ = (
        ("preemptions", ctypes.c_int64),
        ("live_pages", ctypes.c_int64),
        ("forgotten", ctypes.c_int64),
        ("crashed", ctypes.c_int64),
        ("how", ctypes.c_int64),
        ("at", ctypes.c_int64),
        ("number", ctypes.c_int64),
        ("limit", ctypes.c_int64),
    )
    preemptions: int
    live_pages: int
    """Table pages that are still allocated."""
    forgotten: int
    """Stale translations that the window TLB had no room for: behaviour that was left out."""
    crashed: int
    how: int
    at: int
    number: int
    limit: int


class S2ExploreCounts(ctypes.Structure):
    """What ``s2_explore`` did so far, and of the last run its tripwires and how it ended."""

    _fields_ = (
        *(
            (name, ctypes.c_int64)
            for name in ("runs", "classes", "steps", "inconclusive", "restarts")
        ),
        *((name, ctypes.c_int64) for name in ("forgotten", "trips", "lasso", "judged", "ended")),
        ("limits", ctypes.c_int64 * LIMITS),
    )
    runs: int
    classes: int
    """Runs of a class that was new."""
    steps: int
    inconclusive: int
    """Runs that a limit ended."""
    restarts: int
    """How often this process forgot its classes because there were too many."""
    forgotten: int
    """Stale translations that the window TLB had no room for, in all runs."""
    trips: int
    lasso: int
    """Whether a state may have returned in it; where none did, no vCPU is stuck."""
    judged: int
    """What a judge in C said of it, if there was one."""
    ended: int
    limits: Any
    """Runs that each limit ended, by the number of the limit."""

    def by_limit(self) -> dict[str, int]:
        """Runs that each limit ended, by its name, where there were any."""
        return {name: self.limits[n] for n, name in LIMIT_NAMES.items() if self.limits[n]}


class S2BurstRun(ctypes.Structure):
    """A run of ``s2_fuzz`` that is worth judging."""

    _fields_ = tuple((name, ctypes.c_int64) for name in ("number", "tripped", "lasso", "judged"))
    number: int
    tripped: int
    lasso: int
    """Whether a state may have returned in it, as in ``S2ExploreCounts``."""
    judged: int
    """What a judge in C said of it, if there was one."""


class S2BurstCounts(ctypes.Structure):
    """What ``s2_fuzz`` did: runs, those worth judging, features that are new."""

    _fields_ = tuple((name, ctypes.c_int64) for name in ("runs", "kept", "classes", "features"))
    runs: int
    kept: int
    classes: int
    """Runs of a class that was new."""
    features: int


class S2Ranges(ctypes.Structure):
    """Where the edge counters and their table of program counters lie."""

    _fields_ = tuple(
        (name, ctypes.c_uint64) for name in ("counters", "counters_end", "table", "table_end")
    )
    counters: int
    counters_end: int
    table: int
    table_end: int


class S2Search(ctypes.Structure):
    """What a search is asked for."""

    _fields_ = (
        ("number", ctypes.c_uint64),
        *((name, ctypes.c_int64) for name in ("state_only", "preemptions", "faults", "bytes")),
    )
    number: int
    """Tells the classes of scenarios apart."""
    state_only: int
    """Whether a configuration is the machine alone, without what the oracles know of its past."""
    preemptions: int
    """At most so many; negative: any."""
    faults: int
    """At most so many of one access, which are part of a configuration then; 0: any."""
    bytes: int
    """Of memory at most, for configurations, and as much for snapshots."""


class S2SearchCounts(ctypes.Structure):
    """What a search has done so far."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in (
            *("configs", "steps", "again", "ends", "classes", "deadlocks", "limits", "cut"),
            *("cycles", "fair", "candidates", "cycle_from", "cycle_choices", "deepest"),
            *("lasso", "ended", "forgotten", "done", "bytes", "kinds"),
        )
    )
    configs: int
    """Configurations, each visited once."""
    steps: int
    again: int
    """Steps that led to a known one."""
    ends: int
    """Runs that came to an end."""
    classes: int
    """Of them those of a class that was new."""
    deadlocks: int
    limits: int
    """Runs that a limit ended."""
    cut: int
    """Ways on that would have been a preemption too many."""
    cycles: int
    """Strongly connected components that hold a cycle."""
    fair: int
    """Of them those in which each thread moves that has not ended."""
    candidates: int
    """Cycles of which was told (``SearchStop.CYCLE``)."""
    cycle_from: int
    """The points passed before the cycle that was told of."""
    cycle_choices: int
    deepest: int
    lasso: int
    """As in ``Told``, of the run that was found."""
    ended: int
    forgotten: int
    """Classes whose teardown went over a limit."""
    done: int
    """Millionths of the search, where each way on from a configuration counts the same."""
    bytes: int
    kinds: int
    """Kinds of events before which a thread could be preempted."""


class SearchStop(IntEnum):
    """Why ``s2_search_go`` came back."""

    MORE = 0
    """The steps are used up."""
    ALL = 1
    """There is nothing left to search."""
    RUN = 2
    """The last run is worth looking at."""
    CYCLE = 3
    """The last run ends in a cycle of configurations in which every thread moves."""
    NO_ROOM = 4
    """There is no memory for more."""


STRUCTS: "Final[dict[str, type[ctypes.Structure]]]" = {
    "s2_event": S2Event,
    "s2_run": S2Run,
    "s2_pending": S2Pending,
    "s2_view": S2View,
    "s2_counts": S2Counts,
    "s2_explore_counts": S2ExploreCounts,
    "s2_burst_run": S2BurstRun,
    "s2_burst_counts": S2BurstCounts,
    "s2_ranges": S2Ranges,
    "s2_search": S2Search,
    "s2_search_counts": S2SearchCounts,
}
SCALARS: "Final[dict[Any, str]]" = {
    ctypes.c_int16: "int16_t",
    ctypes.c_int32: "int32_t",
    ctypes.c_int64: "int64_t",
    ctypes.c_uint64: "uint64_t",
}


@dataclass(frozen=True, slots=True)
class CType:
    """One type in both languages."""

    c: str
    ctype: Any


VOID: Final = CType("void", None)
I32: Final = CType("int32_t", ctypes.c_int32)
I64: Final = CType("int64_t", ctypes.c_int64)
U64: Final = CType("uint64_t", ctypes.c_uint64)
TEXT: Final = CType("const char *", ctypes.c_char_p)
MEMORY_I32: Final = CType("const int32_t *", ctypes.c_void_p)
MEMORY_I64: Final = CType("const int64_t *", ctypes.c_void_p)
FEATURES: Final = CType("uint8_t *", ctypes.POINTER(ctypes.c_uint8))
COUNT: Final = CType("int32_t *", ctypes.POINTER(ctypes.c_int32))
PLACE: Final = CType("volatile uint64_t *", ctypes.POINTER(ctypes.c_uint64))
JUDGE: Final = CType("s2_judge", ctypes.c_void_p)
"""A judge in C, or none: see ``_declarations``."""
SCHEDULE: Final = (MEMORY_I32, I32, MEMORY_I32, I32)
"""(thread, points) pairs and how many, choices and how many."""


def _pointer(name: str) -> CType:
    return CType(f"struct {name} *", ctypes.POINTER(STRUCTS[name]))


FUNCTIONS: Final[dict[str, tuple[CType, ...]]] = {
    "s2_interface": (U64,),
    "s2_failure": (TEXT,),
    "s2_fail_on_purpose": (I32, I32),
    "s2_load_scenario": (I64, MEMORY_I64, I64),
    "s2_run_schedule": (I32, *SCHEDULE),
    "s2_run_seed": (I32, U64),
    "s2_start": (I32,),
    "s2_continue": (I32, I32, I32),
    "s2_view": (VOID, _pointer("s2_view")),
    "s2_events": (CType("const struct s2_event *", ctypes.c_void_p), COUNT),
    "s2_note_sites": (VOID, I32),
    "s2_stacks": (CType("const uint32_t *", ctypes.c_void_p), COUNT),
    "s2_runs": (CType("const struct s2_run *", ctypes.c_void_p), COUNT),
    "s2_choices": (CType("const int32_t *", ctypes.c_void_p), COUNT),
    "s2_counts": (VOID, _pointer("s2_counts")),
    "s2_class": (U64,),
    "s2_effect_class": (U64,),
    "s2_count_features": (VOID, FEATURES),
    "s2_watch": (VOID, PLACE),
    "s2_explore": (I32, U64, I64, U64, I64, JUDGE, _pointer("s2_explore_counts")),
    "s2_fuzz": (
        *(I32, *SCHEDULE, U64, I32, FEATURES, JUDGE),
        *(_pointer("s2_burst_run"), _pointer("s2_burst_counts")),
    ),
    "s2_bare": (I64, U64, I64, I32),
    "s2_self_test": (I32,),
    "s2_page_shift": (I32,),
    "s2_started": (I32,),
    "s2_coverage": (VOID, _pointer("s2_ranges")),
    "s2_search_begin": (
        I32,
        CType("const struct s2_search *", _pointer("s2_search").ctype),
        MEMORY_I64,
        I32,
    ),
    "s2_search_go": (I32, I64, JUDGE, _pointer("s2_search_counts")),
    "s2_search_end": (VOID,),
}
"""name -> its result and its arguments."""


def _c_type(ctype: Any) -> str:
    for name, struct in STRUCTS.items():
        if ctype is struct:
            return f"struct {name}"
    return SCALARS[ctype]


def _struct(name: str, struct: "type[ctypes.Structure]") -> str:
    """A struct's definition, and its layout as ctypes has it."""
    body, checks = (
        "",
        f'_Static_assert(sizeof(struct {name}) == {ctypes.sizeof(struct)}, "size");\n',
    )
    for field, ctype, *_ in struct._fields_:
        element, length = getattr(ctype, "_type_", ctype), getattr(ctype, "_length_", 0)
        suffix = f"[{length}]" if length else ""
        body += f"\t{_c_type(element if length else ctype)} {field}{suffix};\n"
        offset = getattr(struct, field).offset
        checks += f'_Static_assert(offsetof(struct {name}, {field}) == {offset}, "{field}");\n'
    return f"struct {name} {{\n{body}}};\n{checks}"


def _declarations() -> str:
    enum = "".join(f"\tS2_END_{each.name} = {int(each)},\n" for each in CallEnd)
    enum += "};\nenum s2_stop {\n"
    enum += "".join(f"\tS2_STOP_{each.name} = {int(each)},\n" for each in SearchStop)
    structs = "".join(_struct(name, struct) for name, struct in STRUCTS.items())
    functions = "".join(
        f"S2_PUBLIC {result.c} {name}({', '.join(each.c for each in arguments) or 'void'});\n"
        for name, (result, *arguments) in FUNCTIONS.items()
    )
    judge = (
        "/* Judge a run that may hold a lasso or not: 0 where nobody else need look at it. */\n"
        "typedef int32_t (*s2_judge)(const struct s2_event *, int32_t count, int32_t lasso);\n"
    )
    return f"enum s2_call_end {{\n{enum}}};\n{structs}{judge}{functions}"


def fingerprint() -> int:
    """64 bits of the interface: what a library says of itself, and what must be the same here."""
    return int.from_bytes(hashlib.sha256(_declarations().encode()).digest()[:8])


def header() -> str:
    """The text of abi.h."""
    return (
        "/* Written by stage2fuzz/kernel/abi.py. */\n"
        "#ifndef STAGE2FUZZ_ABI_H\n#define STAGE2FUZZ_ABI_H\n\n"
        '#include <stddef.h>\n#include <stdint.h>\n#include "linkage.h"\n\n'
        f"#define S2_INTERFACE {fingerprint():#x}UL\n#define S2_THREADS {THREADS}\n"
        f"#define S2_LIMITS {LIMITS}\n#define S2_DEPTH {DEPTH}\n"
        f"{_declarations()}\n#endif\n"
    )


def bind(library: ctypes.CDLL, where: str) -> None:
    """Give the library's functions their types; InputError if it has another interface."""
    try:
        for name, (result, *arguments) in FUNCTIONS.items():
            function = getattr(library, name)
            function.restype = result.ctype
            function.argtypes = [each.ctype for each in arguments]
        found = library.s2_interface()
    except AttributeError as error:
        raise InputError(
            where, f"no kernel engine of this version: {error}", "build it again"
        ) from None
    if found != fingerprint():
        wanted = f"{fingerprint():016x}: build it again"
        raise InputError(where, f"interface {found:016x}", f"interface {wanted}")
