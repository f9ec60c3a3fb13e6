"""Many schedules of one scenario, run and folded in C; what is worth judging comes out one by one.

Most runs differ from an earlier one in the order of independent steps only, and an oracle would
say the same of them. The first run of each class stops the C side, so that its events are read
where they lie and nothing is run twice. Who judges is somebody else: this package knows no oracle.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from stage2fuzz.case.scenario import Scenario
from stage2fuzz.engine import Trace
from stage2fuzz.kernel.abi import CallEnd, S2ExploreCounts
from stage2fuzz.kernel.native import MOST_CLASSES, Native

TRIPS: Final = ("break", "downgrade", "warning", "end", "leak", "flush", "stuck")


@dataclass(frozen=True, slots=True)
class ExploredRun:
    """A run worth judging: the seed that made it, its tripwires, what happened.

    ``lasso`` says whether a state may have returned; where none did, no vCPU is stuck.
    """

    seed: int
    trips: tuple[str, ...]
    lasso: bool
    trace: Trace


def explore(
    native: Native,
    scenario: Scenario,
    seed: int,
    count: int,
    number: int = 0,
    told: S2ExploreCounts | None = None,
    classes: int = MOST_CLASSES,
    judge: int | None = None,
) -> Iterator[ExploredRun]:
    """Run seeds ``seed`` to ``seed + count - 1``; the first run of each class that this process has
    not seen in the scenario of this ``number``.

    Each run is a pure function of scenario and seed. A crash is the last run, since memory may be
    damaged. ``told`` is filled as the runs go, until there are so many new ``classes``.
    With ``judge``, the address of a judge in C, what it is content with is passed over.
    """
    told = told or S2ExploreCounts()
    native.load(scenario)
    while told.runs < count and told.classes < classes:
        left = count - told.runs
        if not native.explore(seed + told.runs, left, number, told, classes, judge):
            return
        trips = tuple(name for bit, name in enumerate(TRIPS) if told.trips >> bit & 1)
        trace = native.trace(CallEnd(told.ended))
        yield ExploredRun(seed + told.runs - 1, trips, bool(told.lasso), trace)
        if told.ended == CallEnd.CRASH:
            return
