"""Cut the schedule where the fair end of a replay does the rest by itself."""

from collections.abc import Iterator
from dataclasses import replace

from stage2fuzz.case.case import Case
from stage2fuzz.schedule.base import Schedule


def truncate(case: Case, executed: Schedule) -> Iterator[Case]:
    """Shorter and shorter beginnings, the shortest first; then a last run of one point."""
    runs, choices = case.schedule.runs, case.schedule.choices
    for length in range(len(runs)):
        yield replace(case, schedule=Schedule(runs[:length], choices))
    for length in range(len(choices)):
        yield replace(case, schedule=Schedule(runs, choices[:length]))
    if runs and runs[-1][1] > 1:
        yield replace(case, schedule=Schedule((*runs[:-1], (runs[-1][0], 1)), choices))
