"""The built library as an engine: scenarios go in as numbers, events come out as tuples.

Nothing calls back into Python inside a run. A schedule, or a strategy of the C side, runs without
a stop; a Python scheduler is asked between two stretches of C.
"""

import ctypes
import struct
from array import array
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.errors import InputError, ModelError
from stage2fuzz.events import ACCESS, Event
from stage2fuzz.kernel.build import Library, build
from stage2fuzz.rules import Rules
from stage2fuzz.scenario import SLOT_STRIDE, Access, Backing, Scenario, Slot
from stage2fuzz.schedule.base import Schedule, Scheduler, View
from stage2fuzz.schedule.replay import Replay, mismatch
from stage2fuzz.trace import Trace

ABI: Final = 1
ENDED: Final = ("finished", "deadlock", "limit", "crash")
ASK: Final = 4
ASK_CHOICE: Final = 5
REFERENCE: Final = Scenario(
    vcpus=(
        (Access(WRITE, 0), Access(WRITE, 0)),
        (Access(READ, 0), Access(READ, 0)),
        (Access(EXECUTE, 0), Access(READ, 1)),
    )
)
"""Three vCPUs, two accesses each, one page that all want: what the figures are measured with."""
EVENT: Final = struct.Struct("<hhiqqq")
SMOKE: Final = Scenario(
    slots=(Slot(pages=512, backing=Backing.PMD), Slot(pages=4, logging=True)),
    vcpus=(
        (Access(WRITE, 0), Access(EXECUTE, 0), Access(READ, SLOT_STRIDE)),
        (Access(READ, 1), Access(WRITE, SLOT_STRIDE)),
    ),
)
"""Blocks, pages, both fault kinds: what each build must get through before it is believed."""


def encode(scenario: Scenario) -> "array[int]":
    """The numbers that ``s2_load_scenario`` of interface.c reads, in its order."""
    options = scenario.options
    numbers = [options.ipa_bits, options.tlb, options.hardware_af, options.dic, options.fwb]
    numbers += [options.cache_pages, options.failing_topup, options.teardown, len(scenario.slots)]
    for slot in scenario.slots:
        numbers += [slot.pages, slot.backing, slot.readonly, slot.logging, slot.skewed]
    numbers.append(len(scenario.vcpus))
    for program in scenario.vcpus:
        numbers.append(len(program))
        for access in program:
            numbers += [access.kind, access.page]
    numbers.append(len(scenario.hosts))
    for operations in scenario.hosts:
        numbers.append(len(operations))
        for operation in operations:
            numbers += [operation.op, operation.page, operation.pages]
    numbers.append(len(scenario.host_pages))
    for page in scenario.host_pages:
        numbers += [page.page, page.host]
    return array("q", map(int, numbers))


@dataclass(frozen=True, slots=True)
class Burst:
    """What one fuzz input's runs showed: 0 is its own schedule, n the n-th seed after it."""

    runs: int
    features: int
    """Interleaving features that no burst before showed."""
    fresh: tuple[int, ...]
    """The runs of classes that were not seen before, those with a tripwire first; if one crashed,
    that one alone, since what runs after it may run in damaged memory."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the C side counted in the last run."""

    preemptions: int
    steps: int
    plain_loads: int
    live_pages: int
    crashed: bool
    diverged: str
    """Where the run left the schedule that it was told to follow; empty if nowhere."""


class Native:
    """The loaded library; one run at a time, since the C side is one machine."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        found = self._library.s2_abi()
        if found != ABI:
            raise InputError(str(path), f"interface {found}", f"interface {ABI}: build it again")
        self._library.s2_bare.restype = ctypes.c_int64
        self._library.s2_class.restype = ctypes.c_uint64
        for name in ("s2_events", "s2_runs", "s2_choices"):
            getattr(self._library, name).restype = ctypes.c_void_p
        self._count = ctypes.c_int()
        self._loaded: Scenario | None = None
        self._view = (ctypes.c_int64 * 64)()
        self._figures = (ctypes.c_int64 * 9)()

    def load(self, scenario: Scenario) -> None:
        """Make ``scenario`` the one that the next runs execute."""
        if scenario is self._loaded:
            return
        numbers = encode(scenario)
        if self._library.s2_load_scenario(_pointer(numbers)) != len(numbers):
            raise ModelError("the C side read another scenario than was written")
        self._loaded = scenario

    def run_schedule(self, schedule: Schedule) -> int:
        """Follow ``schedule``, then end fairly; an index of ``ENDED``."""
        runs, choices = _flat(schedule)
        ended: int = self._library.s2_run_schedule(
            _pointer(runs), len(schedule.runs), _pointer(choices), len(choices)
        )
        return ended

    def fuzz(self, schedule: Schedule, seed: int, burst: int, counters: bytearray) -> Burst:
        """Run ``schedule`` and ``burst`` seeds from ``seed`` on, add their features to ``counters``
        (``features.COUNTERS`` bytes)."""
        runs, choices = _flat(schedule)
        kept, figures = (ctypes.c_uint64 * (3 * (burst + 1)))(), (ctypes.c_int64 * 2)()
        used = self._library.s2_fuzz(
            _pointer(runs),
            len(schedule.runs),
            _pointer(choices),
            len(choices),
            ctypes.c_uint64(seed),
            burst,
            (ctypes.c_uint8 * len(counters)).from_buffer(counters),
            kept,
            figures,
        )
        if self.figures().crashed:
            return Burst(figures[0], figures[1], (figures[0] - 1,))
        rows = sorted((not kept[3 * row + 2], kept[3 * row]) for row in range(used))
        return Burst(figures[0], figures[1], tuple(number for _, number in rows))

    def run_scheduler(self, scheduler: Scheduler, threads: int) -> int:
        """Ask ``scheduler`` at every decision; an index of ``ENDED``."""
        scheduler.begin(threads)
        status: int = self._library.s2_start()
        while status in (ASK, ASK_CHOICE):
            status = self._library.s2_continue(*self._answer(scheduler, status, threads))
        return status

    def _answer(self, scheduler: Scheduler, status: int, threads: int) -> tuple[int, int]:
        """What the scheduler says to the C side's question: a thread and points, or a choice."""
        view, numbers = View(threads), self._view
        self._library.s2_view(numbers)
        if status == ASK_CHOICE:
            return scheduler.choose(numbers[4]), 0
        mask = numbers[0]
        view.enabled = tuple(i for i in range(threads) if mask >> i & 1)
        view.current, view.left, view.yielded = numbers[1], numbers[2], bool(numbers[3])
        view.pending = [(numbers[5 + 2 * i], numbers[6 + 2 * i]) for i in range(threads)]
        chosen, points = scheduler.next(view)
        if chosen not in view.enabled or points < 1:
            raise ModelError(f"the scheduler chose {chosen} for {points} of {view.enabled}")
        return chosen, points

    def events(self) -> list[Event]:
        """The last run's events."""
        data = self._read("s2_events", EVENT.size)
        return [
            (kind, thread, where, old, new, aux)
            for kind, thread, aux, where, old, new in EVENT.iter_unpack(data)
        ]

    def schedule(self) -> Schedule:
        """The schedule that the last run really executed."""
        runs = struct.iter_unpack("<ii", self._read("s2_runs", 8))
        choices = array("i", self._read("s2_choices", 4))
        return Schedule(tuple(runs), tuple(choices))

    def figures(self) -> Figures:
        """The last run's figures."""
        self._library.s2_figures(self._figures)
        preemptions, steps, loads, live, crashed, *diverged = self._figures
        return Figures(preemptions, steps, loads, live, bool(crashed), mismatch(*diverged))

    def trace(self, ended: int) -> Trace:
        """The last run, which ended so."""
        return Trace(self.events(), self.schedule(), self.figures().preemptions, ENDED[ended])

    def run_seed(self, seed: int) -> int:
        """Run the C side's own random strategy of ``seed``; an index of ``ENDED``."""
        ended: int = self._library.s2_run_seed(ctypes.c_uint64(seed))
        return ended

    def count_features(self, counters: bytearray) -> None:
        """Add the last run's features to ``counters``, as ``features.count_features`` does."""
        self._library.s2_count_features((ctypes.c_uint8 * len(counters)).from_buffer(counters))

    def run_class(self) -> int:
        """The last run's class: runs of one class mean the same to the oracles."""
        folded: int = self._library.s2_class()
        return folded

    def bare(self, seed: int, count: int, alone: bool = False) -> int:
        """Run ``count`` seeds and keep nothing; the points that they passed.

        ``alone`` lets a fault handler of a few lines call pgtable.c instead of mmu.c.
        """
        points: int = self._library.s2_bare(ctypes.c_uint64(seed), ctypes.c_int64(count), alone)
        return points

    def announced_loads(self) -> int:
        """How many of three plain loads the compiler's instrumentation announced."""
        announced: int = self._library.s2_self_test()
        return announced

    def coverage(self) -> tuple[int, int, int, int]:
        """Addresses of the edge counters and their table of PCs: start, stop, start, stop."""
        ranges = (ctypes.c_size_t * 4)()
        self._library.s2_coverage(ranges)
        return ranges[0], ranges[1], ranges[2], ranges[3]

    @property
    def library(self) -> ctypes.CDLL:
        """The library itself, for the exploring loop."""
        return self._library

    def _read(self, name: str, size: int) -> bytes:
        address = getattr(self._library, name)(ctypes.byref(self._count))
        return ctypes.string_at(address, self._count.value * size)


class KernelEngine:
    """One tree, built and loaded; not to be shared between OS threads."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.rules = rules_of(library.has)

    @property
    def build(self) -> str:
        """What a schedule belongs to: tree, shim, compiler and flags by their contents."""
        return self.library.key

    @cached_property
    def native(self) -> Native:
        """The loaded library; loaded when first used."""
        return Native(self.library.path)

    def prove(self) -> None:
        """Check that the build sees what it must see and finishes what it must finish.

        A blind build, or a host model that answers every fault with an error, looks like a kernel
        without bugs; InputError says that it is neither.
        """
        where = str(self.library.tree)
        self.native.load(SMOKE)
        trace = self.run(SMOKE, Schedule())
        done = sum(event[0] == ACCESS for event in trace.events)
        wanted = sum(map(len, SMOKE.vcpus))
        if trace.ended != "finished" or done != wanted:
            found = f"{done} of {wanted} accesses finished, the run {trace.ended}"
            raise InputError(where, f"the smoke program makes no progress: {found}")
        if self.native.announced_loads() != 3:
            raise InputError(where, "plain loads are not announced", "another compiler")

    def run(self, scenario: Scenario, how: Scheduler | Schedule | int) -> Trace:
        """Run ``scenario`` to its end: under a schedule or a seed of the C side's strategies, which
        it follows by itself, or asking a scheduler at each decision."""
        native = self.native
        native.load(scenario)
        if isinstance(how, int):
            ended = native.run_seed(how)
        elif isinstance(how, Schedule):
            ended = native.run_schedule(how)
        elif isinstance(how, Replay):
            ended = native.run_schedule(how.schedule)
            how.followed(native.figures().diverged)
        else:
            ended = native.run_scheduler(how, scenario.threads)
        return native.trace(ended)


def rules_of(has: frozenset[str]) -> Rules:
    """What is right in a tree's era, decided by what the probes found."""
    shared = "S2_HAS_SHARED_WALK" in has
    return Rules(
        shared_faults=shared,
        shared_relax="S2_HAS_RWLOCK" in has and not shared,
        counts_any_nonzero="S2_HAS_COUNTED_ENTRIES" in has,
        rcu="S2_HAS_FREE_UNLINKED" in has,
        strict_table_hints="S2_HAS_TTL_UNKNOWN" in has,
    )


@lru_cache(maxsize=8)
def engine(tree: str | Path) -> KernelEngine:
    """The engine of ``tree``, built if need be, proved, kept for the life of the process."""
    made = KernelEngine(build(Path(tree)))
    made.prove()
    return made


def _flat(schedule: Schedule) -> "tuple[array[int], array[int]]":
    """Runs as thread, points, thread, points ..., and the choices."""
    runs = array("i", [number for run in schedule.runs for number in run])
    return runs, array("i", schedule.choices)


def _pointer(numbers: "array[int]") -> ctypes.c_void_p:
    return ctypes.c_void_p(numbers.buffer_info()[0])
