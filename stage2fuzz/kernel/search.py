"""Every interleaving of one scenario on a kernel engine: the search of runtime/search.c.

What is worth looking at comes out one by one, and where it lies: the machine is in the middle of
the search, so nothing else may run on it before the search goes on. Who judges is somebody else.
"""

from array import array
from dataclasses import dataclass
from pathlib import Path

from stage2fuzz.case.scenario import Scenario
from stage2fuzz.engine import Trace
from stage2fuzz.kernel.abi import CallEnd, S2Search, S2SearchCounts, SearchStop
from stage2fuzz.kernel.memory import state_memory
from stage2fuzz.kernel.native import Native
from stage2fuzz.schedule.base import Schedule


@dataclass(frozen=True, slots=True)
class SearchBounds:
    """How far a search goes: None is as far as there is anything."""

    preemptions: int | None = None
    faults: int | None = None
    """Of one access."""
    memory: int = 1 << 30
    """Bytes for configurations, and as many for snapshots."""
    state_only: bool = False
    """A configuration is the machine without its past: what finds who goes on for ever."""


class StateSearch:
    """A search that goes on as long as somebody asks for more."""

    def __init__(
        self, native: Native, path: Path, scenario: Scenario, bounds: SearchBounds, number: int = 0
    ) -> None:
        """``number`` tells the classes of scenarios apart; ``path`` is the library's."""
        self._native, self.told = native, S2SearchCounts()
        native.load(scenario)
        pieces = array("q", [number for piece in state_memory(path) for number in piece])
        asked = S2Search(
            number,
            bounds.state_only,
            -1 if bounds.preemptions is None else bounds.preemptions,
            bounds.faults or 0,
            bounds.memory,
        )
        self.begun = native.begin_search(asked, pieces)
        """False where there was no room even to begin."""

    def go(self, steps: int, judge: int | None = None) -> SearchStop:
        """Go on for at most so many steps; ``judge`` as in ``explore``."""
        return self._native.go_on_searching(steps, judge, self.told)

    def trace(self) -> Trace:
        """What was found: the run, as far as it went."""
        return self._native.trace(CallEnd(self.told.ended))

    def cycle(self) -> tuple[Schedule, Schedule]:
        """The way to a cycle that was found, and once around it."""
        schedule = self._native.schedule()
        choices = self.told.cycle_choices
        before, after = cut(schedule.runs, self.told.cycle_from)
        return Schedule(before, schedule.choices[:choices]), Schedule(
            after, schedule.choices[choices:]
        )

    def end(self) -> None:
        """The library is free for other runs."""
        self._native.end_search()


def cut(
    runs: tuple[tuple[int, int], ...], points: int
) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    """The runs up to so many points, and the rest."""
    before: list[tuple[int, int]] = []
    after: list[tuple[int, int]] = []
    for thread, length in runs:
        first = min(length, points)
        points -= first
        if first:
            before.append((thread, first))
        if length > first:
            after.append((thread, length - first))
    return tuple(before), tuple(after)
