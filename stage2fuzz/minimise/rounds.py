"""Leave out whole rounds: a stall is shown by a prefix and one cycle, not by five of them.

Moving runs keeps every point of the schedule, so it cannot make a cycle come round less often.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.schedule.base import Schedule

LONGEST: Final = 12
"""Runs of one round: two vCPUs that undo one another's work need six."""


def drop_rounds(case: Case, executed: Schedule) -> Iterator[Case]:
    """Without each stretch of consecutive runs, the longest first."""
    runs = executed.runs
    for length in range(min(LONGEST, len(runs)), 0, -1):
        for at in range(len(runs) - length + 1):
            left = runs[:at] + runs[at + length :]
            yield replace(case, schedule=replace(executed, runs=left))
