"""The series, told by the tool: which revision shows which of the faults it is about.

Each fault has a scenario of its own, each revision is run on it under the same schedules, and the
oracles say what happened; nothing about the outcome is written down here. ``+p1`` is special: it
claims to change nothing, so it is compared with ``v5.10`` event for event.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Access, Backing, Scenario, Slot
from stage2fuzz.engine import engine_of
from stage2fuzz.run import Outcome, run_scheduled
from stage2fuzz.schedule import strategy
from stage2fuzz.schedule.base import Scheduler

REVISIONS: Final = (
    "v5.10",
    "v5.10+p1",
    "v5.10+p2",
    "v5.10+p3",
    "v5.10+p1+p2+p3",
    "series-v1",
    "series-v2",
    "series-v4",
    "v5.12",
)
STRATEGIES: Final = ("breaker", "random")
"""Schedules are drawn from these in turn, by number: the same ones for every revision."""


@dataclass(frozen=True, slots=True)
class SeriesFault:
    """One of the faults that the cover letter names: where it shows, and who says so."""

    name: str
    rule: str
    scenario: Scenario
    short: str
    """What a column of the table is called."""


def _vcpus(*kinds: int) -> tuple[tuple[Access, ...], ...]:
    return tuple((Access(kind, 0),) for kind in kinds)


_LOGGED: Final = Scenario(slots=(Slot(logging=True),), vcpus=_vcpus(WRITE, READ, EXECUTE))
_BLOCK: Final = Scenario(
    slots=(Slot(pages=1 << 18, backing=Backing.PUD),), vcpus=_vcpus(EXECUTE, WRITE)
)
_REFUSED: Final = Scenario(slots=(Slot(logging=True),), vcpus=_vcpus(WRITE, READ))
FAULTS: Final = (
    SeriesFault("permission taken away", "C6", _LOGGED, "C6"),
    SeriesFault("needless break-before-make", "G3", _LOGGED, "G3"),
    SeriesFault("faults in another's window", "G2", _LOGGED, "G2"),
    SeriesFault("stuck: loop A (logging, 4 KiB)", "G1", _LOGGED, "G1 A"),
    SeriesFault("stuck: loop B (1 GiB block)", "G1", _BLOCK, "G1 B"),
    SeriesFault("spurious dirty page", "D2", _REFUSED, "D2"),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One revision on one fault: how many schedules showed it, and the first that did."""

    revision: str
    fault: SeriesFault
    schedules: int
    violations: int
    first: Case | None
    at: int
    """Number of that schedule, from 1; 0 where there is none."""


def scheduler(number: int) -> Scheduler:
    """Schedule ``number`` of every cell."""
    return strategy(STRATEGIES[number % len(STRATEGIES)], number)


def tell(revision: str, fault: SeriesFault, schedules: int) -> Cell:
    """Run ``schedules`` schedules of the fault's scenario on one revision."""
    violations, at = 0, 0
    first: Case | None = None
    for number in range(schedules):
        outcome = run_scheduled(f"model:{revision}", fault.scenario, scheduler(number))
        if shows(outcome, fault.rule):
            violations += 1
            if first is None:
                first, at = outcome.case, number + 1
    return Cell(revision, fault, schedules, violations, first, at)


def shows(outcome: Outcome, oracle: str) -> bool:
    """Whether an oracle objected to the run."""
    return any(violation.oracle == oracle for violation in outcome.violations)


def cells(schedules: int, seen: Callable[[str, SeriesFault], None]) -> Iterator[Cell]:
    """The whole table, row by row; ``seen`` hears what comes next."""
    for revision in REVISIONS:
        for fault in FAULTS:
            seen(revision, fault)
            yield tell(revision, fault, schedules)


def first_difference(one: str, other: str, schedules: int) -> int:
    """The first schedule (from 1) on which two revisions' events differ; 0 if none does."""
    left, right = engine_of(f"model:{one}"), engine_of(f"model:{other}")
    for number in range(schedules):
        scenario = FAULTS[number % len(FAULTS)].scenario
        first = left.run(scenario, scheduler(number)).events
        if first != right.run(scenario, scheduler(number)).events:
            return number + 1
    return 0
