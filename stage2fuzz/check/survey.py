"""Survey: what one version shows on the course, and what it shows where something is looked for."""

import json
import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.check.course import Course, search
from stage2fuzz.check.explorer import Explorer, explorer_of
from stage2fuzz.check.version import Version
from stage2fuzz.errors import InputError
from stage2fuzz.fuzz.outbox import parse_violation, violation_record, write_whole
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.process.checked import count, listed
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.studies.hunt.turn import Turn, TurnResult

FORMAT: Final = 1
"""Of what is kept of a survey between two checks."""
SEARCH_SECONDS: Final = 4.0
"""A search may take in one scenario."""
GRACE: Final = 60.0
"""Seconds that a turn may take beyond the end."""
BATCH: Final = 5_000
"""Schedules of a search between two looks at what it found."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A signature that a version shows: the first run that did, and how easily it does."""

    violation: Violation
    case: Case
    times: int
    """Judged runs that showed it."""
    at: int
    """Schedules of its scenario until the first that did."""
    found_in: Scenario | None = None
    """The scenario that showed it before it was minimised."""
    searched: str = ""
    """The scenario of the ground of proofs in which a search showed it; empty: a random run did."""
    absent: bool = False
    """Whether every interleaving of that scenario is without it on the other side."""

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Where the fault is to be looked for elsewhere."""
        both = (self.case.scenario, self.found_in or self.case.scenario)
        return tuple(dict.fromkeys(both))


@dataclass(slots=True)
class Survey:
    """What the turns of one version showed."""

    turns: list[int]
    """Taken by each job."""
    seconds: float = 0.0
    runs: int = 0
    judged: int = 0
    inconclusive: int = 0
    deaths: int = 0
    exhibits: dict[str, Exhibit] = field(default_factory=dict)
    """By signature."""

    def add(self, version: Version, turn: Turn, before: int, done: TurnResult) -> None:
        """Count a turn that followed ``before`` schedules of the same scenario."""
        self.runs += done.runs
        self.judged += done.judged
        self.inconclusive += done.inconclusive
        self.deaths += done.died
        for signature, times in done.seen.items():
            known, found = self.exhibits.get(signature), done.found.get(signature)
            if known is not None:
                self.exhibits[signature] = replace(known, times=known.times + times)
            elif found is not None:
                case = case_of(version, turn.scenario, found.schedule)
                exhibit = Exhibit(found.violation, case, times, before + found.runs)
                self.exhibits[signature] = exhibit

    def to_record(self) -> dict[str, object]:
        """As it is kept."""
        shown = [
            violation_record(each.violation)
            | {"case": format_case(each.case), "times": each.times, "at": each.at}
            for each in self.exhibits.values()
        ]
        figures = {name: getattr(self, name) for name in _FIGURES}
        return {"format": FORMAT, "seconds": self.seconds, **figures, "exhibits": shown}


_FIGURES: Final = ("turns", "runs", "judged", "inconclusive", "deaths")


def read_survey(record: Any, engine: str) -> Survey:
    """What ``to_record`` wrote, its cases those of ``engine``: the same code may lie elsewhere now.
    Raises ValueError, KeyError, TypeError or InputError."""
    if record["format"] != FORMAT:
        raise ValueError("another format")
    survey = Survey([count(each) for each in listed(record["turns"])], float(record["seconds"]))
    for name in _FIGURES[1:]:
        setattr(survey, name, count(record[name]))
    for each in listed(record["exhibits"]):
        violation = parse_violation(each, "survey")
        case = replace(parse(each["case"], "survey"), engine=engine)
        exhibit = Exhibit(violation, case, count(each["times"]), count(each["at"]))
        survey.exhibits[violation.signature] = exhibit
    return survey


def case_of(version: Version, scenario: Scenario, schedule: Schedule | None) -> Case:
    """A run of a version as a case."""
    build = version.library.key if version.library is not None else ""
    return Case(version.engine, scenario, schedule or Schedule(), build)


def survey(
    version: Version,
    course: Course,
    until: float,
    turns: Sequence[int] | None = None,
    beat: Callable[[Survey], None] = lambda _: None,
) -> Survey:
    """Take turns until ``until`` on the clock of ``time.monotonic``, or those of ``turns``.

    A turn that has begun is taken to its end, so that every other version can take the same.
    """
    begun, made = time.monotonic(), Survey([0] * course.jobs)
    spent: dict[int, int] = {}
    explorers = [explorer_of(version) for _ in range(course.jobs)]
    waiting = [course.turns(job, version.rules, until + GRACE) for job in range(course.jobs)]
    try:
        while True:
            for job, explorer in enumerate(explorers):
                wanted = turns is None or made.turns[job] < turns[job]
                early = not made.turns[job] or time.monotonic() < until
                if explorer.turn is None and wanted and early:
                    explorer.ask(next(waiting[job]))
            busy = [each for each in explorers if each.turn is not None]
            if not busy:
                break
            for explorer in _answered(busy):
                turn, done = explorer.turn, explorer.answer()
                assert turn is not None
                made.add(version, turn, spent.get(turn.number, 0), done)
                spent[turn.number] = spent.get(turn.number, 0) + done.runs
                whole = done.runs >= turn.schedules or done.crashed or done.died
                made.turns[explorers.index(explorer)] += whole
            made.seconds = time.monotonic() - begun
            beat(made)
    finally:
        for explorer in explorers:
            explorer.close()
    return made


def _answered(busy: Sequence[Explorer]) -> Iterator[Explorer]:
    by_number = {each.fileno(): each for each in busy}
    for number in select.select(list(by_number), [], [], 1.0)[0]:
        yield by_number[number]


@dataclass(frozen=True, slots=True)
class Sought:
    """A fault that was looked for on a version: where it shows, or after how many schedules not."""

    exhibit: Exhibit | None
    schedules: int


def seek(version: Version, signature: str, scenarios: Sequence[Scenario], schedules: int) -> Sought:
    """Look for a fault in each of ``scenarios``, ``schedules`` of them in each at most."""
    tried = 0
    with closing(explorer_of(version)) as explorer:
        for scenario in scenarios:
            until = time.monotonic() + SEARCH_SECONDS
            left, begin = schedules, 0
            while left > 0 and time.monotonic() < until:
                turn = search(scenario, begin, min(left, BATCH), version.rules, until)
                explorer.ask(turn)
                done = explorer.answer()
                found = done.found.get(signature)
                if found is not None:
                    case = case_of(version, scenario, found.schedule)
                    times, at = done.seen[signature], tried + found.runs
                    return Sought(Exhibit(found.violation, case, times, at), at)
                tried, left, begin = tried + done.runs, left - done.runs, begin + done.runs
                if not done.runs or done.crashed:
                    break
    return Sought(None, tried)


def load(path: Path, engine: str) -> Survey | None:
    """A survey of ``engine`` that was kept; None where there is none to be had."""
    try:
        return read_survey(json.loads(path.read_bytes()), engine)
    except (OSError, ValueError, LookupError, TypeError, RecursionError, InputError):
        return None


def keep(path: Path, made: Survey) -> None:
    """Keep a survey for the next check; a cache that can't be written costs only time."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(made.to_record()))
