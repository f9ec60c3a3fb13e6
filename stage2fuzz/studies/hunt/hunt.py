"""A hunt over all cores: who takes which turn, and what becomes of what is found.

Each scenario belongs to one process, so that no class is counted twice. A process takes turns in an
order of its own that does not depend on time: the same seed, limit and number of processes give
the same runs.
"""

import itertools
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.kernel.adapter import rules_of
from stage2fuzz.kernel.build import Library
from stage2fuzz.session.intake import Intake
from stage2fuzz.studies.hunt.ground import drawn, returning
from stage2fuzz.studies.hunt.turn import Done, Found, Turn
from stage2fuzz.studies.hunt.turn_process import TurnProcess

FIRST: Final = 500
"""Schedules of a scenario's first turn; each later pass over the scenarios has twice as many."""
SCHEDULES: Final = 20_000
"""Of one turn at most."""
CLASSES: Final = 20_000
"""Judged in one turn at most."""
SEED_STRIDE: Final = 1 << 32
"""Between the first schedules of two campaigns."""


@dataclass(slots=True)
class Shown:
    """A signature: who objects, how many judged runs showed it, the number of its finding."""

    oracle: str
    verdict: str
    times: int = 0
    number: int | None = None


@dataclass(slots=True)
class Totals:
    """What the hunt did so far."""

    runs: int = 0
    classes: int = 0
    judged: int = 0
    inconclusive: int = 0
    restarts: int = 0
    """How often a process had seen too many classes, and began to count them anew."""
    forgotten: int = 0
    """Stale translations that the window TLB had no room for: behaviour that was left out."""
    deaths: int = 0
    """Processes that died; what the last turn of each had seen is lost."""
    scenarios: int = 0
    """Different ones that had a turn."""
    limits: dict[str, int] = field(default_factory=dict)
    """What there was too much of -> runs that this limit ended."""

    def add(self, done: Done) -> None:
        """Count a turn."""
        self.runs += done.runs
        self.classes += done.classes
        self.judged += done.judged
        self.inconclusive += done.inconclusive
        self.restarts += done.restarts
        self.forgotten += done.forgotten
        for name, times in done.limits.items():
            self.limits[name] = self.limits.get(name, 0) + times
        self.deaths += done.died


@dataclass(slots=True)
class Worker:
    """One process, and the turns to come."""

    process: TurnProcess
    turns: Iterator[tuple[int, Scenario, int]]
    """Number, scenario, schedules."""
    left: int
    """Schedules it has still to run."""
    next_seed: dict[int, int] = field(default_factory=dict)


class Hunt:
    """Schedules of every scenario on one tree, until a number of them or a time is reached."""

    def __init__(
        self,
        intake: Intake,
        engine: str,
        library: Library,
        jobs: int,
        seed: int,
        seconds: float,
        schedules: int,
    ) -> None:
        """``engine`` is the name that findings get; ``schedules`` and ``seconds`` are limits."""
        self.intake, self.engine, self._rules = intake, engine, rules_of(library.has)
        self._build = library.key
        self.totals = Totals()
        self.signatures: dict[str, Shown] = {}
        self._seed, self._first_seed = seed, seed * SEED_STRIDE
        self._until = time.monotonic() + seconds
        self._scenarios = returning()
        self._workers = [
            Worker(
                TurnProcess(library.path),
                self._turns(job, jobs),
                schedules // jobs + (job < schedules % jobs),
            )
            for job in range(jobs)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.process.close()
        self.intake.close()

    def step(self) -> bool:
        """Give out turns and read what came back; False when the last one has."""
        ready = self._ready(0)
        for worker in self._workers:
            if worker in ready or worker.process.stalls():
                self._read(worker)
        for worker in self._workers:
            if worker.process.turn is None and worker.left > 0 and not self._over():
                self._give(worker)
        return any(worker.process.turn for worker in self._workers)

    def pause(self) -> None:
        """Wait a moment for an answer."""
        self._ready(0.1)

    def _over(self) -> bool:
        return self.intake.stopping or time.monotonic() > self._until

    def _ready(self, seconds: float) -> list[Worker]:
        busy = {each.process.fileno(): each for each in self._workers if each.process.turn}
        return [busy[number] for number in select.select(list(busy), [], [], seconds)[0]]

    def _turns(self, job: int, jobs: int) -> Iterator[tuple[int, Scenario, int]]:
        """The process' own scenarios, as many random ones, and so again."""
        mine = list(enumerate(self._scenarios))[job::jobs]
        random = itertools.count(job, jobs)
        runs = FIRST
        while True:
            for number, scenario in mine:
                yield number, scenario, runs
            for number in itertools.islice(random, max(1, len(mine))):
                yield len(self._scenarios) + number, drawn(self._seed, number), runs
            runs = min(2 * runs, SCHEDULES)

    def _give(self, worker: Worker) -> None:
        number, scenario, runs = next(worker.turns)
        seed, runs = worker.next_seed.get(number, self._first_seed), min(runs, worker.left)
        turn = Turn(number, scenario, seed, runs, CLASSES, self._rules, self._until)
        worker.process.ask(turn)

    def _read(self, worker: Worker) -> None:
        """Count what a worker did, and report what it found."""
        turn, done = worker.process.turn, worker.process.answer()
        assert turn is not None
        worker.left -= done.runs
        self.totals.scenarios += turn.seed == self._first_seed
        if turn.number < len(self._scenarios):
            worker.next_seed[turn.number] = turn.seed + done.runs
        self.totals.add(done)
        for signature, found in done.found.items():
            self._note(turn.scenario, signature, found, done.seen[signature])

    def _note(self, scenario: Scenario, signature: str, found: Found, times: int) -> None:
        shown = self.signatures.get(signature)
        if shown is None:
            violation = found.violation
            shown = self.signatures[signature] = Shown(violation.oracle, violation.verdict)
            if found.schedule is None:
                shown.number = self.intake.keep(Case(self.engine, scenario), violation)
            else:
                case = Case(self.engine, scenario, found.schedule, self._build)
                shown.number = self.intake.take(case, violation)
        shown.times += times
