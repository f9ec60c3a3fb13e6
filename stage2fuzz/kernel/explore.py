"""Many schedules of one scenario, run and folded in C; what is worth judging comes out one by one.

Most runs differ from an earlier one in the order of independent steps only, and an oracle would
say the same of them. The first run of each class stops the C side, so that its events are read
where they lie and nothing is run twice. Who judges is somebody else: this package knows no oracle.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from stage2fuzz.case.scenario import Scenario
from stage2fuzz.engine import Trace
from stage2fuzz.kernel.native import Native

TRIPS: Final = ("break", "downgrade", "warning", "end", "leak", "flush", "stuck")


@dataclass(frozen=True, slots=True)
class Kept:
    """A run worth judging: the seed that made it, its tripwires, what happened."""

    seed: int
    trips: tuple[str, ...]
    trace: Trace


class Told(ctypes.Structure):
    """What the C side did so far: ``s2_figures`` of explore.c."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in ("runs", "steps", "inconclusive", "restarts", "trips", "ended")
    )
    runs: int
    steps: int
    inconclusive: int
    """Runs that a limit ended."""
    restarts: int
    """How often this process forgot its classes because there were too many."""
    trips: int
    ended: int


def explore(
    native: Native,
    scenario: Scenario,
    seed: int,
    count: int,
    number: int = 0,
    told: Told | None = None,
) -> Iterator[Kept]:
    """Run seeds ``seed`` to ``seed + count - 1``; the first run of each class that this process has
    not seen in the scenario of this ``number``.

    Each run is a pure function of scenario and seed. A crash is the last run, since memory may be
    damaged. ``told`` is filled as the runs go.
    """
    told = told or Told()
    native.load(scenario)
    while told.runs < count:
        worth = native.library.s2_explore(
            ctypes.c_uint64(seed + told.runs),
            ctypes.c_int64(count - told.runs),
            ctypes.c_uint64(number),
            ctypes.byref(told),
        )
        if not worth:
            return
        trips = tuple(name for bit, name in enumerate(TRIPS) if told.trips >> bit & 1)
        trace = native.trace(told.ended)
        yield Kept(seed + told.runs - 1, trips, trace)
        if trace.ended == "crash":
            return
