"""The loaded library: scenarios go in as numbers, events come out as tuples.

Nothing calls back into Python inside a run. A schedule, or a strategy of the C side, runs without
a stop; a Python scheduler is asked between two stretches of C.
"""

import ctypes
import struct
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stage2fuzz.case.scenario import Scenario
from stage2fuzz.engine import Trace
from stage2fuzz.errors import InputError, ModelError
from stage2fuzz.events import Event
from stage2fuzz.schedule.base import Schedule, Scheduler, View
from stage2fuzz.schedule.replay import mismatch

ABI: Final = 1
ENDED: Final = ("finished", "deadlock", "limit", "crash")
ASK: Final = 4
ASK_CHOICE: Final = 5
EVENT: Final = struct.Struct("<hhiqqq")


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
        kept, figures = (ctypes.c_uint64 * (2 * (burst + 1)))(), (ctypes.c_int64 * 2)()
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
        rows = sorted((not kept[2 * row + 1], kept[2 * row]) for row in range(used))
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


def _flat(schedule: Schedule) -> "tuple[array[int], array[int]]":
    """Runs as thread, points, thread, points ..., and the choices."""
    runs = array("i", [number for run in schedule.runs for number in run])
    return runs, array("i", schedule.choices)


def _pointer(numbers: "array[int]") -> ctypes.c_void_p:
    return ctypes.c_void_p(numbers.buffer_info()[0])
