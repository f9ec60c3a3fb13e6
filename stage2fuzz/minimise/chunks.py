"""Merge many blocks at once: a random walk's schedule has a thousand runs, and most say nothing.

Merging two runs a try takes more tries than runs, so a long schedule used up the budget before it
was short. Here a whole stretch of the schedule loses its preemptions in one try, large stretches
first, as delta debugging does it.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.schedule.base import Run, Schedule

LONG: Final = 32
"""Runs of a schedule up to which ``merge_blocks``, which is finer, comes to its end in time."""
SHORTEST: Final = 4
"""Runs of the shortest stretch that is merged at once."""


def merge_chunks(case: Case, executed: Schedule) -> Iterator[Case]:
    """Each stretch with one run a thread, in either order of the threads; the longest first."""
    runs = executed.runs
    if len(runs) <= LONG:
        return
    length = len(runs) // 2
    while length >= SHORTEST:
        for at in range(0, len(runs), length):
            for grouped in _grouped(runs[at : at + length]):
                merged = (*runs[:at], *grouped, *runs[at + length :])
                yield replace(case, schedule=replace(executed, runs=merged))
        length //= 2


def _grouped(runs: tuple[Run, ...]) -> Iterator[tuple[Run, ...]]:
    totals: dict[int, int] = {}
    for thread, points in runs:
        totals[thread] = totals.get(thread, 0) + points
    if len(totals) < len(runs):
        forwards = tuple(totals.items())
        yield forwards
        yield forwards[::-1]
