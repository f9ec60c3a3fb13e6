"""Merge blocks: pull a thread's later run up into its earlier one, or push the earlier one down.

Delta debugging over "preempt at step i" stalls, since removing one preemption moves the meaning
of all later ones. A schedule seen as runs has no such numbers: whole runs move, the replay skips
what no longer fits, and the schedule that was really executed is what counts. Moving runs is the
idea of Jalbert and Sen (Tinertia, FSE 2010).
"""

from collections.abc import Iterator
from dataclasses import replace

from stage2fuzz.case.case import Case
from stage2fuzz.schedule.base import Run, Schedule

PARTS = ((1, 1), (3, 4), (1, 2), (1, 4))
"""How much of a run moves: all of it first, then parts."""


def merge_blocks(case: Case, executed: Schedule) -> Iterator[Case]:
    """All merges of two consecutive runs of one thread, whole ones first."""
    for runs in _merged(executed.runs):
        yield replace(case, schedule=replace(executed, runs=runs))


def _merged(runs: tuple[Run, ...]) -> Iterator[tuple[Run, ...]]:
    for numerator, denominator in PARTS:
        for first, second in _pairs(runs):
            thread = runs[first][0]
            up = -(-runs[second][1] * numerator // denominator)
            yield _moved(runs, thread, first, second, up)
            down = -(-runs[first][1] * numerator // denominator)
            yield _moved(runs, thread, first, second, -down)


def _pairs(runs: tuple[Run, ...]) -> Iterator[tuple[int, int]]:
    last: dict[int, int] = {}
    for index, (thread, _) in enumerate(runs):
        if thread in last:
            yield last[thread], index
        last[thread] = index


def _moved(
    runs: tuple[Run, ...], thread: int, first: int, second: int, points: int
) -> tuple[Run, ...]:
    """``points`` from the second run to the first; negative: the other way."""
    changed = list(runs)
    changed[first] = (thread, runs[first][1] + points)
    changed[second] = (thread, runs[second][1] - points)
    return tuple(run for run in changed if run[1] > 0)
