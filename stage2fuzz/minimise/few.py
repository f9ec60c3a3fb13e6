"""Start over with next to no preemptions: most faults need one, at the right place.

A merge can only reach what the schedule at hand leads to. Trying every schedule with one
preemption costs a few hundred replays and settles the matter where one is enough; with the lenient
end of a replay it needs no more than "this thread so far, then that one".
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.schedule.base import FOREVER, Schedule

MOST: Final = 3_000
"""Schedules that are worth trying; where there would be more, the case must get smaller first."""
ALONE: Final = 200
"""Points that a thread passes alone, at most: later it has ended, however long a stall went on."""


def few_preemptions(case: Case, executed: Schedule) -> Iterator[Case]:
    """No preemption in any order of two threads, then one at each point."""
    threads = case.scenario.threads
    points = min(ALONE, sum(count for _, count in executed.runs))
    pairs = [(a, b) for a in range(threads) for b in range(threads) if a != b]
    if len(pairs) * points > MOST:
        return
    for first, second in pairs:
        yield _scheduled(case, executed, ((first, FOREVER), (second, FOREVER)))
    for count in range(1, points):
        for first, second in pairs:
            yield _scheduled(case, executed, ((first, count), (second, FOREVER)))


def _scheduled(case: Case, executed: Schedule, runs: tuple[tuple[int, int], ...]) -> Case:
    return replace(case, schedule=replace(executed, runs=runs))
