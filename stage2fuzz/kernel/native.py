"""The loaded library: scenarios go in as numbers, events come out as tuples.

Nothing calls back into Python inside a run. A schedule, or a strategy of the C side, runs without
a stop; a Python scheduler is asked between two stretches of C.
"""

import ctypes
import struct
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from stage2fuzz.arch import GRANULE_4K, TRANSLATION_GRANULES, TranslationGranule
from stage2fuzz.case.granule import check_granule, page_under, pages_under
from stage2fuzz.case.limits import check_guests
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.engine import Burst, BurstRun, Trace
from stage2fuzz.errors import InputError, ModelError
from stage2fuzz.events import Event
from stage2fuzz.kernel import abi
from stage2fuzz.kernel.abi import CallEnd
from stage2fuzz.schedule.base import Schedule, Scheduler, View
from stage2fuzz.schedule.replay import mismatch

EVENT: Final = struct.Struct("<hhiqqq")
"""``abi.Event`` as Python reads thousands of them."""
_GRANULES: Final = {each.page_shift: each for each in TRANSLATION_GRANULES}
MOST_CLASSES: Final = 1 << 62
"""No limit."""
assert EVENT.size == ctypes.sizeof(abi.S2Event)


@dataclass(frozen=True, slots=True)
class RunCounts:
    """What the C side counted in the last run."""

    preemptions: int
    live_pages: int
    """Table pages that are still allocated."""
    forgotten: int
    """Stale translations that the window TLB had no room for: behaviour that was left out."""
    crashed: bool
    diverged: str
    """Where the run left the schedule that it was told to follow; empty if nowhere."""


class Native:
    """The loaded library; one run at a time, since the C side is one machine.

    Each call that runs something raises ModelError where an assertion of the C side failed: that is
    our own bug, and no verdict on the kernel code. The next run starts from a machine set up anew.
    """

    def __init__(
        self, path: Path, encode: "Callable[[Scenario], array[int]] | None" = None
    ) -> None:
        """``encode`` writes a scenario as the library reads it (by default ``encode`` below)."""
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as error:
            raise InputError(str(path), f"cannot be loaded: {error}", "build it again") from None
        abi.bind(self._library, str(path))
        granule = _GRANULES[self._library.s2_page_shift()]
        self._encode = encode or partial(_encode, granule=granule)
        self._count = ctypes.c_int32()
        self._loaded: Scenario | None = None
        self._view = abi.S2View()
        self._counts = abi.S2Counts()

    def load(self, scenario: Scenario) -> None:
        """Make ``scenario`` the one that the next runs execute."""
        if scenario is self._loaded:
            return
        numbers = self._encode(scenario)
        if self._library.s2_load_scenario(_pointer(numbers), len(numbers)) != len(numbers):
            self._loaded = None
            raise ModelError("the C side read another scenario than was written")
        self._loaded = scenario

    def run_schedule(self, schedule: Schedule) -> CallEnd:
        """Follow ``schedule``, then end fairly; how it ended."""
        runs, choices = _flat(schedule)
        return self._ended(
            self._library.s2_run_schedule(
                _pointer(runs), len(schedule.runs), _pointer(choices), len(choices)
            )
        )

    def run_seed(self, seed: int) -> CallEnd:
        """Run the C side's own random strategy of ``seed``; how it ended."""
        return self._ended(self._library.s2_run_seed(seed))

    def explore(
        self,
        seed: int,
        count: int,
        number: int,
        told: abi.S2ExploreCounts,
        classes: int = MOST_CLASSES,
        judge: int | None = None,
    ) -> bool:
        """Run seeds from ``seed`` on, ``count`` at most, until one is worth judging: whether one
        is. ``number`` tells the classes of scenarios apart; ``told`` is added to, until
        it has so many ``classes``. ``judge`` is the address of a judge in C (``s2_judge``), which
        passes over what it is content with."""
        worth: int = self._library.s2_explore(
            seed, count, number, classes, judge, ctypes.byref(told)
        )
        if worth < 0:
            self._ended(CallEnd.BUG)
        return bool(worth)

    def fuzz(
        self,
        schedule: Schedule,
        seed: int,
        burst: int,
        counters: bytearray,
        judge: int | None = None,
    ) -> Burst:
        """Run ``schedule`` and ``burst`` seeds from ``seed`` on, add their features to ``counters``
        (``features.COUNTERS`` bytes). ``judge`` as in ``explore``."""
        runs, choices = _flat(schedule)
        kept, told = (abi.S2BurstRun * (burst + 1))(), abi.S2BurstCounts()
        ended = self._ended(
            self._library.s2_fuzz(
                _pointer(runs),
                len(schedule.runs),
                _pointer(choices),
                len(choices),
                seed,
                burst,
                (ctypes.c_uint8 * len(counters)).from_buffer(counters),
                judge,
                kept,
                ctypes.byref(told),
            )
        )
        if ended is CallEnd.CRASH and self.figures().crashed:
            return Burst(
                told.runs, told.features, told.classes, (BurstRun(told.runs - 1, True, 0),)
            )
        rows = sorted(kept[: told.kept], key=lambda each: (not each.tripped, each.number))
        fresh = tuple(BurstRun(each.number, bool(each.lasso), each.judged) for each in rows)
        return Burst(told.runs, told.features, told.classes, fresh)

    def run_scheduler(self, scheduler: Scheduler, threads: int) -> CallEnd:
        """Ask ``scheduler`` at every decision; how the run ended."""
        scheduler.begin(threads)
        status = self._ended(self._library.s2_start())
        while status in (CallEnd.ASK, CallEnd.ASK_CHOICE):
            answer = self._answer(scheduler, status, threads)
            status = self._ended(self._library.s2_continue(*answer))
        return status

    def _answer(self, scheduler: Scheduler, status: CallEnd, threads: int) -> tuple[int, int]:
        """What the scheduler says to the C side's question: a thread and points, or a choice."""
        view, asked = View(threads), self._view
        self._library.s2_view(ctypes.byref(asked))
        if status is CallEnd.ASK_CHOICE:
            choice = scheduler.choose(asked.options)
            if not 0 <= choice < asked.options:
                raise ModelError(f"the scheduler chose {choice} of {asked.options} choices")
            return choice, 0
        view.enabled = tuple(i for i in range(threads) if asked.enabled >> i & 1)
        view.current, view.left, view.yielded = asked.current, asked.left, bool(asked.yielded)
        announced = [(each.kind, each.where) for each in asked.pending[:threads]]
        view.pending[: len(announced)] = announced
        chosen, points = scheduler.next(view)
        if chosen not in view.enabled or points < 1:
            raise ModelError(f"the scheduler chose {chosen} for {points} of {view.enabled}")
        return chosen, points

    def _ended(self, status: int) -> CallEnd:
        """How a call ended; ModelError if an assertion of the C side failed in it."""
        if status == CallEnd.BUG:
            words: bytes = self._library.s2_failure()
            raise ModelError(f"the C runtime: {words.decode(errors='replace')}")
        return CallEnd(status)

    def events(self) -> list[Event]:
        """The last run's events."""
        data = self._read("s2_events", EVENT.size)
        return [
            (kind, thread, where, old, new, aux)
            for kind, thread, aux, where, old, new in EVENT.iter_unpack(data)
        ]

    def note_sites(self, on: bool) -> None:
        """Have the next runs note, or not, where in the code each of their events comes from."""
        self._library.s2_note_sites(on)

    def stacks(self) -> list[tuple[int, ...]]:
        """Where the last run's events come from: offsets into the library, innermost first, up to
        the first 0. Only for a run that noted them."""
        data = self._read("s2_stacks", 4)
        return list(struct.iter_unpack(f"<{abi.DEPTH}I", data))

    def schedule(self) -> Schedule:
        """The schedule that the last run really executed."""
        runs = struct.iter_unpack("<ii", self._read("s2_runs", 8))
        choices = array("i", self._read("s2_choices", 4))
        return Schedule(tuple(runs), tuple(choices))

    def figures(self) -> RunCounts:
        """The last run's figures."""
        counts = self._counts
        self._library.s2_counts(ctypes.byref(counts))
        diverged = mismatch(counts.how, counts.at, counts.number, counts.limit)
        return RunCounts(
            counts.preemptions, counts.live_pages, counts.forgotten, bool(counts.crashed), diverged
        )

    def trace(self, ended: CallEnd) -> Trace:
        """The last run, which ended so."""
        return Trace(self.events(), self.schedule(), self.figures().preemptions, ended.name.lower())

    def bare(self, seed: int, count: int, alone: bool = False) -> int:
        """Run ``count`` seeds and keep nothing; the points that they passed.

        ``alone`` lets a fault handler of a few lines call pgtable.c instead of mmu.c.
        """
        points: int = self._library.s2_bare(seed, count, alone)
        if points < 0:
            self._ended(CallEnd.BUG)
        return points

    def announced_loads(self) -> int:
        """How many of three plain loads the compiler's instrumentation announced."""
        announced: int = self._library.s2_self_test()
        if announced < 0:
            self._ended(CallEnd.BUG)
        return announced

    def started(self) -> int:
        """0 where the machine's own set-up went well and said nothing."""
        found: int = self._library.s2_started()
        return found

    def watch(self, place: ctypes.c_uint64) -> None:
        """Keep in ``place``, which a parent process reads, the seed that is running."""
        self._library.s2_watch(ctypes.byref(place))

    def begin_search(self, asked: abi.S2Search, memory: "array[int]") -> bool:
        """Begin to search the loaded scenario; False where memory is short. ``memory`` has the
        pieces that are the machine's state (``kernel/memory.py``)."""
        begun: int = self._library.s2_search_begin(
            ctypes.byref(asked), _pointer(memory), len(memory) // 2
        )
        if begun < 0:
            self._ended(CallEnd.BUG)
        return bool(begun)

    def go_on_searching(
        self, steps: int, judge: int | None, told: abi.S2SearchCounts
    ) -> abi.SearchStop:
        """Go on for at most so many steps; what came of it. Fills ``told``."""
        found: int = self._library.s2_search_go(steps, judge, ctypes.byref(told))
        if found < 0:
            self._ended(CallEnd.BUG)
        return abi.SearchStop(found)

    def end_search(self) -> None:
        """The next runs are as all others."""
        self._library.s2_search_end()

    def coverage(self) -> tuple[int, int, int, int]:
        """Addresses of the edge counters and their table of PCs: start, stop, start, stop."""
        ranges = abi.S2Ranges()
        self._library.s2_coverage(ctypes.byref(ranges))
        return ranges.counters, ranges.counters_end, ranges.table, ranges.table_end

    @property
    def library(self) -> ctypes.CDLL:
        """The library itself, its functions typed (``abi.FUNCTIONS``): what tests ask it."""
        return self._library

    def _read(self, name: str, size: int) -> bytes:
        address = getattr(self._library, name)(ctypes.byref(self._count))
        return ctypes.string_at(address, self._count.value * size)


def encode(scenario: Scenario, granule: TranslationGranule = GRANULE_4K) -> "array[int]":
    """The numbers that ``read_scenario`` of scenario.c reads, in its order."""
    options = scenario.options
    check_guests(scenario, "kernel")
    check_granule(scenario, granule, "kernel")
    pages_of, page_of = partial(pages_under, granule), partial(page_under, granule)
    numbers = [options.ipa_bits, options.tlb, options.hardware_af, options.dic, options.fwb]
    numbers += [options.cache_pages, options.failing_topup, options.teardown]
    numbers += [options.failing_atomic, options.vhe, options.manual]
    numbers += [scenario.logs_begin_set, options.failing_alloc, options.nested]
    numbers += [options.dirty_ring, options.pending_stores, options.vncr, options.mte]
    numbers.append(len(scenario.slots))
    for slot in scenario.slots:
        numbers += [pages_of(slot.pages), pages_of(slot.first), slot.backing, slot.readonly]
        numbers += [slot.logging, pages_of(slot.skewed)]
        numbers += [slot.hugetlb, slot.contiguous]
    numbers.append(len(scenario.vcpus))
    for program in scenario.vcpus:
        numbers.append(len(program))
        for access in program:
            numbers += [access.kind, page_of(access.page)]
    numbers.append(len(scenario.hosts))
    for operations in scenario.hosts:
        numbers.append(len(operations))
        for operation in operations:
            numbers += [operation.op, page_of(operation.page), pages_of(operation.pages)]
    numbers.append(len(scenario.host_pages))
    for page in scenario.host_pages:
        numbers += [page_of(page.page), page.host]
    return array("q", map(int, numbers))


_encode: Final = encode


def _flat(schedule: Schedule) -> "tuple[array[int], array[int]]":
    """Runs as thread, points, thread, points ..., and the choices."""
    runs = array("i", [number for run in schedule.runs for number in run])
    return runs, array("i", schedule.choices)


def _pointer(numbers: "array[int]") -> ctypes.c_void_p:
    return ctypes.c_void_p(numbers.buffer_info()[0])
