"""What every engine of compiled C can do: run, replay with source lines, run a burst of seeds."""

from array import array
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Final

from stage2fuzz.case.limits import schedulable
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.engine import Burst, Trace
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.edges import EdgeCounters
from stage2fuzz.kernel.lines import Lines, load_lines
from stage2fuzz.kernel.native import Native
from stage2fuzz.rules import Rules
from stage2fuzz.schedule.base import Schedule, Scheduler
from stage2fuzz.schedule.replay import Replay
from stage2fuzz.source import SourceLine, Stack


class CompiledEngine:
    """One built library, loaded when first used; not to be shared between OS threads."""

    def __init__(
        self,
        path: Path,
        key: str,
        rules: Rules,
        encode: "Callable[[Scenario], array[int]] | None" = None,
    ) -> None:
        """``path`` is the library and ``key`` names its build; ``encode`` writes a scenario as its
        ``read_scenario`` reads it (by default as ``kernel.native`` does)."""
        self._path: Final = path
        self._encode: Final = encode
        self.build: Final = key
        """What a schedule belongs to: tree, shim, compiler and flags by their contents."""
        self.rules: Final = rules

    @cached_property
    def native(self) -> Native:
        """The loaded library."""
        return Native(self._path, self._encode)

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
            ended = native.run_scheduler(how, schedulable(scenario))
        return native.trace(ended)

    @cached_property
    def _lines(self) -> Lines | None:
        return load_lines(self._path.parent)

    def stacks(self, scenario: Scenario, schedule: Schedule) -> list[Stack]:
        """Run ``schedule`` once more and note where in the tree each event comes from; none where
        the build has no table of lines."""
        native, lines = self.native, self._lines
        if lines is None:
            return []
        native.load(scenario)
        native.note_sites(True)
        try:
            native.run_schedule(schedule)
            noted = native.stacks()
        finally:
            native.note_sites(False)
        known: dict[int, Stack] = {address: lines.at(address) for address in set(chain(*noted))}
        return [tuple(chain(*(known[at] for at in stack if at))) for stack in noted]

    def burst(
        self,
        scenario: Scenario,
        schedule: Schedule,
        seed: int,
        count: int,
        counters: bytearray,
        judge: int | None = None,
    ) -> Burst:
        """Run ``schedule`` and ``count`` seeds from ``seed`` on, all in C, ``judge`` included."""
        self.native.load(scenario)
        return self.native.fuzz(schedule, seed, count, counters, judge)

    def coverage(self) -> tuple[int, int, int, int] | None:
        """Where the compiled code's edge counters lie; None where the compiler counts none."""
        ranges = self.native.coverage()
        return ranges if ranges[0] else None

    def lines_run(
        self, cases: Iterable[tuple[Scenario, Schedule]]
    ) -> list[tuple[SourceLine, bool]]:
        """The lines of the tree that can be counted, and whether any of ``cases`` runs them; none
        where the compiler counts nothing or the build has no table of lines."""
        ranges, lines = self.coverage(), self._lines
        if ranges is None or lines is None:
            return []
        counters = EdgeCounters(ranges)
        for scenario, schedule in cases:
            counters.clear()
            with suppress(InputError):  # this tree has not what the case asks for
                self.run(scenario, schedule)
            counters.note()
        return list(counters.lines(lines))
