"""A hunt over all cores: who takes which turn, and what becomes of what is found.

A thread gives out turns and reads what came back, so that no process waits while the main thread
confirms and minimises a finding. Each scenario belongs to one process, so that no class is counted
twice. A process takes turns in an order of its own that does not depend on time: the same seed,
limit and number of processes give the same runs.
"""

import itertools
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

from stage2fuzz.case.case import Case
from stage2fuzz.case.granule import fitted
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.kernel.adapter import rules_of
from stage2fuzz.kernel.build import Library
from stage2fuzz.known import known_of
from stage2fuzz.session.intake import Intake
from stage2fuzz.studies.hunt.ground import Ground
from stage2fuzz.studies.hunt.turn import FirstShowing, Turn, TurnResult
from stage2fuzz.studies.hunt.turn_process import TurnProcess

FIRST: Final = 125
"""Schedules of a returning scenario's first turn; each later pass over them has twice as many."""
SHORT: Final = 60
"""Schedules of most random scenarios: what shows by geometry or by a state of the machine shows in
few, if the scenario is the right one, so many scenarios find more than many schedules."""
LONG_EVERY: Final = 4
"""Of the random scenarios one in so many gets a turn as long as the returning ones."""
SCHEDULES: Final = 20_000
"""Of one turn at most."""
CLASSES: Final = 20_000
"""Judged in one turn at most."""
SEED_STRIDE: Final = 1 << 32
"""Between the first schedules of two campaigns."""


@dataclass(slots=True)
class SignatureTally:
    """A signature: who objects, how many judged runs showed it, the number of its finding."""

    oracle: str
    verdict: str
    times: int = 0
    number: int | None = None
    cause: str = ""
    known: str = ""
    """The known cause that it is on this tree; empty for news."""
    schedules: int = 0
    """Of all scenarios, that were run until it first showed."""


@dataclass(slots=True)
class HuntTotals:
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

    def add(self, done: TurnResult) -> None:
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
        self.totals = HuntTotals()
        self.signatures: dict[str, SignatureTally] = {}
        self._seed, self._first_seed = seed, seed * SEED_STRIDE
        self._granule, self._ground = library.granule, Ground.of(library.has)
        fitting = (fitted(each, self._granule) for each in self._ground.returning())
        self._scenarios = tuple(dict.fromkeys(fitting))
        self._workers = [
            Worker(
                TurnProcess(library.path),
                self._turns(job, jobs),
                schedules // jobs + (job < schedules % jobs),
            )
            for job in range(jobs)
        ]
        self._answers: SimpleQueue[tuple[Turn, TurnResult, int]] = SimpleQueue()
        self._unwanted, self._failure = Event(), list[BaseException]()
        self._until = time.monotonic() + seconds
        self._thread = Thread(target=self._work, name="hunt")
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._unwanted.set()
        self._thread.join()
        for worker in self._workers:
            worker.process.close()
        self.intake.close()

    def step(self) -> bool:
        """Report what one turn found; False when the last one has been."""
        running = self._thread.is_alive()
        try:
            turn, done, before = self._answers.get_nowait()
        except Empty:
            if self._failure:
                raise self._failure[0] from None
            return running
        self._note(turn, done, before)
        return True

    def pause(self) -> None:
        """Wait a moment for an answer."""
        self._thread.join(0.1 if self._answers.empty() else 0)

    def _work(self) -> None:
        """Keep every process busy until nobody wants more: in a thread of its own."""
        try:
            while not self._unwanted.is_set() and self._keep_busy():
                ready = self._ready(0.1)
                for worker in self._workers:
                    if worker in ready or worker.process.stalls():
                        self._read(worker)
        except BaseException as error:  # the main thread raises it
            self._failure.append(error)

    def _keep_busy(self) -> bool:
        """Give out turns; whether any process has one."""
        for worker in self._workers:
            if worker.process.turn is None and worker.left > 0 and not self._over():
                self._give(worker)
        return any(worker.process.turn for worker in self._workers)

    def _over(self) -> bool:
        return self.intake.stopping or time.monotonic() > self._until

    def _ready(self, seconds: float) -> list[Worker]:
        busy = {each.process.fileno(): each for each in self._workers if each.process.turn}
        return [busy[number] for number in select.select(list(busy), [], [], seconds)[0]]

    def _turns(self, job: int, jobs: int) -> Iterator[tuple[int, Scenario, int]]:
        """The process' own scenarios, as many schedules of random ones, and so again."""
        mine = list(enumerate(self._scenarios))[job::jobs]
        random = itertools.count(job, jobs)
        runs = FIRST
        while True:
            for number, scenario in mine:
                yield number, scenario, runs
            left = runs * max(1, len(mine))
            for turn in itertools.count():
                if left <= 0:
                    break
                number, some = next(random), SHORT if turn % LONG_EVERY else max(runs, SHORT)
                scenario = fitted(self._ground.drawn(self._seed, number), self._granule)
                yield len(self._scenarios) + number, scenario, some
                left -= some
            runs = min(2 * runs, SCHEDULES)

    def _give(self, worker: Worker) -> None:
        number, scenario, runs = next(worker.turns)
        seed, runs = worker.next_seed.get(number, self._first_seed), min(runs, worker.left)
        turn = Turn(number, scenario, seed, runs, CLASSES, self._rules, self._until)
        worker.process.ask(turn)

    def _read(self, worker: Worker) -> None:
        """Count what a worker did, and hand on what it found."""
        turn, done = worker.process.turn, worker.process.answer()
        assert turn is not None
        worker.left -= done.runs
        self.totals.scenarios += turn.seed == self._first_seed
        if turn.number < len(self._scenarios):
            worker.next_seed[turn.number] = turn.seed + done.runs
        self.totals.add(done)
        if done.seen:
            self._answers.put((turn, done, self.totals.runs - done.runs))

    def _note(self, turn: Turn, done: TurnResult, before: int) -> None:
        """Report what is new in a turn that ``before`` schedules came before, and count it all."""
        for signature, found in done.found.items():
            if signature not in self.signatures:
                violation = found.violation
                shown = self.signatures[signature] = SignatureTally(
                    violation.oracle,
                    violation.verdict,
                    cause=violation.cause,
                    known=known_of(self.engine, violation.cause),
                    schedules=before + found.runs,
                )
                shown.number = self._report(turn.scenario, found)
        for signature, times in done.seen.items():
            self.signatures[signature].times += times

    def _report(self, scenario: Scenario, found: FirstShowing) -> int | None:
        """The number of a finding that is recorded and confirmed."""
        if found.schedule is None:
            return self.intake.keep(Case(self.engine, scenario), found.violation)
        case = Case(self.engine, scenario, found.schedule, self._build)
        return self.intake.take(case, found.violation)
