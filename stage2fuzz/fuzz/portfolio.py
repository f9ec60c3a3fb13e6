"""What one fuzz input runs: the schedule that its bytes spell, and strategies beside it.

No single way of choosing schedules finds every kind of fault: uniform ones almost never stall a
vCPU, and adversarial ones alone see too little else. A slow engine runs one strategy more, picked
by the input's checksum; a fast one runs a burst of them, since a run costs it so little that most
of the time would go into making the input.
"""

from functools import partial
from typing import Final, Protocol

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.engine import BurstEngine, BurstRun, Engine, Trace, engine_of
from stage2fuzz.fuzz.features import COUNTERS, count_features, feature_set
from stage2fuzz.fuzz.verdicts import Verdicts
from stage2fuzz.oracles.native.binding import native_judge
from stage2fuzz.run import Outcome, judge_run, outcome_of, run, run_scheduled
from stage2fuzz.schedule import strategy

STRATEGIES: Final = ("breaker", "random", "pct", "surw")
BURST: Final = 16
"""Runs of a fast engine's own strategies beside an input's own schedule."""


class Portfolio(Protocol):
    """One engine's way of running inputs."""

    @property
    def judged(self) -> int:
        """Runs that the oracles were asked about; they know of the others what they would say."""

    def run(self, case: Case, check: int, counters: bytearray) -> tuple[int, list[Outcome]]:
        """(schedules run, what was judged of them); all add their features to ``counters``.

        ``check`` is the input's checksum: everything is a function of it and of the case.
        """

    def new_features(self, counters: bytearray) -> int:
        """How many features the last run's ``counters`` show that none showed before."""


def portfolio_of(engine: str, judging: bool = True) -> Portfolio:
    """The portfolio that fits an engine; InputError if there is no such engine.

    One that does not judge finds nothing and costs less; it shows the same features.
    """
    made = engine_of(engine)
    if isinstance(made, BurstEngine):
        return BurstPortfolio(engine, made, judging)
    return PairPortfolio(judging)


def no_verdict(_engine: Engine, _scenario: Scenario, _trace: Trace) -> tuple[()]:
    """What is said of a run that nobody judges."""
    return ()


class PairPortfolio:
    """Two runs an input, each judged unless its schedule was executed before."""

    def __init__(self, judging: bool = True) -> None:
        self._verdicts = Verdicts()
        self._judge = self._verdicts.judge if judging else no_verdict
        self._seen: set[int] = set()

    @property
    def judged(self) -> int:
        """Runs whose schedule was not executed before."""
        return self._verdicts.asked - self._verdicts.remembered

    def run(self, case: Case, check: int, counters: bytearray) -> tuple[int, list[Outcome]]:
        """The case, and one strategy of its scenario."""
        seed, pick = divmod(check, len(STRATEGIES))
        chosen = strategy(STRATEGIES[pick], seed)
        outcomes = [
            run(case, self._judge),
            run_scheduled(case.engine, case.scenario, chosen, self._judge),
        ]
        for outcome in outcomes:
            count_features(outcome.events, counters)
        return len(outcomes), outcomes

    def new_features(self, counters: bytearray) -> int:
        """New ones, each counted once."""
        found = feature_set(counters) - self._seen
        self._seen |= found
        return len(found)


class BurstPortfolio:
    """A burst of the engine's own, judged where it runs if the oracles could be compiled.

    What is new is run again, since Python finds the words. What a run is like that was seen before
    is not told again.
    """

    def __init__(self, name: str, engine: BurstEngine, judging: bool = True) -> None:
        self._name, self._engine, self._judging = name, engine, judging
        # The rules of ownership are not compiled; what C finds suspicious goes to Python.
        self._compiled = native_judge() if judging and not engine.rules.ownership else None
        self._new = self._judged = 0

    @property
    def judged(self) -> int:
        """Runs of a new class."""
        return self._judged

    def run(self, case: Case, check: int, counters: bytearray) -> tuple[int, list[Outcome]]:
        """The case, and ``BURST`` runs of the engine's own strategies from the seed ``check``."""
        assert len(counters) == COUNTERS
        scenario, compiled, asked = case.scenario, self._compiled, None
        if compiled is not None:
            compiled.belong(self)
            compiled.scenario(self._engine.rules, len(scenario.vcpus), scenario.threads)
            asked = compiled.address
        burst = self._engine.burst(scenario, case.schedule, check, BURST, counters, asked)
        self._new = burst.features
        if not self._judging:
            return burst.runs, []
        self._judged += burst.classes
        return burst.runs, [self._outcome(case, check, fresh) for fresh in burst.fresh]

    def _outcome(self, case: Case, seed: int, fresh: BurstRun) -> Outcome:
        number = fresh.number
        trace = self._engine.run(case.scenario, seed + number - 1 if number else case.schedule)
        asked = partial(judge_run, lasso=fresh.lasso)
        outcome = outcome_of(self._name, self._engine, case.scenario, trace, asked)
        if self._compiled is not None:
            self._compiled.judge(trace.events, fresh.lasso)
            self._compiled.check(outcome.violations)
        return outcome

    def new_features(self, counters: bytearray) -> int:
        """The engine has counted them."""
        return self._new
