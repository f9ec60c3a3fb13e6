"""compare: the check for "no functional change", by random scenarios and schedules on two engines.

Two engines that mean the same need not pass the same steps, so no run of one is held against one
run of the other. What is compared is what can happen at all: first each order of the threads
without any preemption, where outcome and work must be equal, then many schedules, whose outcomes
are observations (``observe``) of which neither engine may show one that the other never does. A
suspicion is tried: more schedules of the same scenario on both, until the one has shown it
``SHOWN`` times and the other not once in twice as many, or it is dropped. So a step that merely
moved, which makes some interleavings rarer and others commoner, is no difference.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count, islice, permutations
from math import inf
from random import Random
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.codec import CHOICES_AT, decode, newest
from stage2fuzz.case.granule import fitted
from stage2fuzz.case.profile import PROFILES
from stage2fuzz.case.scenario import Scenario, Tlb
from stage2fuzz.engine import BurstEngine, engine_of, kind_of
from stage2fuzz.errors import InputError, ModelError
from stage2fuzz.run import Outcome, outcome_of
from stage2fuzz.schedule import strategy
from stage2fuzz.schedule.base import FOREVER, Schedule
from stage2fuzz.schedule.replay import Replay
from stage2fuzz.studies.comparison import Change, Comparison, Difference
from stage2fuzz.studies.hunt.ground import Ground
from stage2fuzz.studies.observe import Atom, observe, size, work

SCHEDULES: Final = 40
"""Of a scenario on each engine before it is known what either shows."""
ORDERS: Final = 6
"""Orders of the threads that are run without preemption, at most."""
SHOWN: Final = 24
"""Times that one engine must show what the other never does."""
PATIENCE: Final = 4_000
"""Schedules after which a suspicion that was neither proved nor refuted is dropped."""
DROPPED: Final = 3
"""Times that a suspicion of one kind may be dropped before nobody looks at its kind again."""
GRACE: Final = 3.0
"""Seconds that a suspicion gets at least, even where the time is up."""
DRAWN: Final = 0.8
"""Of the time that goes to new scenarios; the rest is for what they left undecided."""
RETRIED: Final = 8
"""Suspicions that are gone on with after that, at most."""
STRATEGIES: Final = ("breaker", "random")


@dataclass(frozen=True, slots=True)
class Headway:
    """How far a comparison is."""

    done: float
    """0 to 1."""
    runs: int
    differences: int


HeadwayReader = Callable[[Headway], None]


def nobody(_headway: Headway) -> None:
    """Progress for whoever wants none."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Something that one engine showed and the other did not, so far."""

    change: Change
    topic: str
    what: str
    side: int
    """0: BEFORE shows it, 1: AFTER does."""
    atom: Atom | None
    """None for a violation, whose signature is ``what``."""

    @property
    def signature(self) -> str:
        """What groups differences."""
        return f"{self.change}: {('before', 'after')[self.side]} {self.topic}: {self.what}"


@dataclass(slots=True)
class SuspicionTrial:
    """A suspicion that is being tried, and how far it is."""

    suspicion: Suspicion
    outcome: Outcome
    """A run that shows it."""
    scenario: Scenario
    seed: int
    other: Outcome
    """The last run of the other side, which does not."""
    shown: int = 0
    tried: int = 0


class _Both:
    """Two engines, and what was found out about them."""

    def __init__(self, before: str, after: str, seed: int, until: float) -> None:
        """``until`` is the time by the monotonic clock at which no more is begun."""
        self.names, self.until = (before, after), until
        self.open: dict[str, SuspicionTrial] = {}
        """Suspicions that were begun and had no time, by signature."""
        self.runs = 0
        self.found: dict[str, Difference] = {}
        self.dropped: Counter[str] = Counter()
        self.seed = seed

    def run(self, side: int, scenario: Scenario, how: int | Schedule) -> Outcome:
        """One run of one side: a seed of its strategies, or a schedule."""
        name = self.names[side]
        engine = engine_of(name)
        if isinstance(how, Schedule):
            trace = engine.run(scenario, Replay(how))
        elif isinstance(engine, BurstEngine):
            trace = engine.run(scenario, how)
        else:
            trace = engine.run(scenario, strategy(STRATEGIES[how % len(STRATEGIES)], how))
        self.runs += side
        return outcome_of(name, engine, scenario, trace)

    def compare(self, scenario: Scenario, number: int) -> None:
        """Compare on one scenario."""
        self._in_order(scenario)
        first = (self.seed << 20) + (number << 8)
        seen: tuple[dict[Suspicion, Outcome], dict[Suspicion, Outcome]] = ({}, {})
        for seed in range(first, first + SCHEDULES):
            for side in (0, 1):
                outcome = self.run(side, scenario, seed)
                for each in suspicions(outcome, side):
                    seen[side].setdefault(each, outcome)
        for side in (1, 0):
            other = {(each.topic, each.what, each.atom) for each in seen[1 - side]}
            for each, outcome in seen[side].items():
                if (each.topic, each.what, each.atom) not in other:
                    self._suspect(each, outcome, scenario, first + SCHEDULES)
                elif each.atom is None:  # whatever it was elsewhere: both have this fault
                    self.open.pop(each.signature, None)

    def _in_order(self, scenario: Scenario) -> None:
        """Each thread to its end, in some orders: outcome and work must be the same."""
        for order in islice(permutations(range(scenario.threads)), ORDERS):
            schedule = Schedule(tuple((thread, FOREVER) for thread in order))
            both = [self.run(side, scenario, schedule) for side in (0, 1)]
            shown = [suspicions(each, side) for side, each in enumerate(both)]
            plain = [{(each.topic, each.what, each.atom) for each in one} for one in shown]
            equal = plain[0] == plain[1]
            for side in (0, 1):
                for each in shown[side]:
                    if (each.topic, each.what, each.atom) not in plain[1 - side]:
                        self._note(each, both[side], both[1 - side], 1)
            if equal:
                self._costs(both)

    def _costs(self, both: list[Outcome]) -> None:
        done = [work(each.events) for each in both]
        for kind in sorted(set(done[0]) | set(done[1])):
            less, more = done[0][kind], done[1][kind]
            if less != more:
                topic, what = kind
                words = f"{'more' if more > less else 'fewer'} {what}"
                suspicion = Suspicion(Change.COST, topic, words, 1, None)
                verdict = (
                    f"Without any preemption, and for the same outcome, after has {words}: "
                    f"{more}, before {less}."
                )
                self._keep(suspicion, verdict, 1, both[0].case, both[1].case)

    def _suspect(
        self, suspicion: Suspicion, outcome: Outcome, scenario: Scenario, seed: int
    ) -> None:
        """Try a suspicion: SHOWN times on its side, never in twice as many runs on the other."""
        signature = suspicion.signature
        if signature in self.found:
            self.found[signature] = replace(
                self.found[signature], runs=self.found[signature].runs + 1
            )
            return
        if self.dropped[signature] >= DROPPED:
            return
        now = time.monotonic()
        until = min(self.until + GRACE, now + max(GRACE, (min(self.until, now + 40) - now) / 4))
        self._try(SuspicionTrial(suspicion, outcome, scenario, seed, outcome), until)

    def try_what_is_open(self, until: float) -> None:
        """Go on with suspicions that had no time, the gravest first, so that as few as can be are
        left; each gets its share of what is left, and ``GRACE`` at least."""
        waiting = self.left()
        for number, each in enumerate(waiting[:RETRIED]):
            now = time.monotonic()
            share = (until - now) / (len(waiting[:RETRIED]) - number)
            self._try(each, now + max(GRACE, share))

    def left(self) -> list[SuspicionTrial]:
        """What is open, the gravest first, and of those what is nearest to its end."""
        gravity = list(Change)
        return sorted(
            self.open.values(), key=lambda each: (gravity.index(each.suspicion.change), -each.shown)
        )

    def _try(self, trial: SuspicionTrial, until: float) -> None:
        """Go on with a trial until it is decided, or the time is up: then it is open."""
        suspicion, signature = trial.suspicion, trial.suspicion.signature
        while trial.tried < PATIENCE:
            if time.monotonic() > until:
                self.open.setdefault(signature, trial)
                return
            seed, tried = trial.seed, trial.tried
            trial.shown += shows(self.run(suspicion.side, trial.scenario, seed + tried), suspicion)
            for number in (2 * tried, 2 * tried + 1):
                trial.other = self.run(1 - suspicion.side, trial.scenario, seed + number)
                if shows(trial.other, suspicion):
                    self._drop(trial, both=True)
                    return
            trial.tried += 1
            if trial.shown >= SHOWN:
                self._note(suspicion, trial.outcome, trial.other, 2 * trial.tried)
                return
        self._drop(trial, both=False)

    def _drop(self, trial: SuspicionTrial, both: bool) -> None:
        """The other side shows it too, or it is too rare to be told apart from luck."""
        signature = trial.suspicion.signature
        self.dropped[signature] += 1
        settled = self.open.get(signature) is trial or self.dropped[signature] >= DROPPED
        if settled or (both and trial.suspicion.atom is None):
            self.open.pop(signature, None)

    def _note(self, suspicion: Suspicion, shown: Outcome, other: Outcome, tried: int) -> None:
        verdict, cases = self._told(suspicion, shown, other, tried)
        self._keep(suspicion, verdict, tried, *cases)

    def as_untried(self, trial: SuspicionTrial) -> Difference:
        """An open suspicion as what it would be."""
        tried = 2 * (trial.tried + SCHEDULES)
        suspicion = trial.suspicion
        verdict, cases = self._told(suspicion, trial.outcome, trial.other, tried)
        times = trial.shown + 1
        return Difference(
            suspicion.change, suspicion.topic, suspicion.signature, verdict, times, tried, *cases
        )

    @staticmethod
    def _told(
        suspicion: Suspicion, shown: Outcome, other: Outcome, tried: int
    ) -> tuple[str, tuple[Case, Case]]:
        """The verdict, and a run of BEFORE and of AFTER."""
        who = ("before", "after")
        side = suspicion.side
        runs = "the same order of threads" if tried == 1 else f"{tried:,} schedules of the scenario"
        if suspicion.atom is None:
            words = next(
                each.verdict for each in shown.violations if each.signature == suspicion.what
            )
            verdict = f"{who[side].capitalize()}: {words}. Not in {runs} of {who[1 - side]}."
        else:
            verdict = (
                f"{who[side].capitalize()}, {suspicion.what}; {who[1 - side]}, never in {runs}."
            )
        return verdict, (shown.case, other.case) if side == 0 else (other.case, shown.case)

    def _keep(
        self, suspicion: Suspicion, verdict: str, tried: int, before: Case, after: Case
    ) -> None:
        signature = suspicion.signature
        known = self.found.get(signature)
        made = Difference(
            suspicion.change, suspicion.topic, signature, verdict, 1, tried, before, after
        )
        if known is not None:
            runs = known.runs + 1
            smaller = known.after is not None and size(after) < size(known.after)
            made = replace(made if smaller else known, runs=runs)
        self.found[signature] = made
        self.open.pop(signature, None)


def compare(
    before: str,
    after: str,
    *,
    seconds: float = 20.0,
    scenarios: Iterable[Scenario] = (),
    seed: int = 1,
    progress: HeadwayReader = nobody,
) -> Comparison:
    """Compare two engines on ``scenarios``, or for ``seconds`` on telling and random ones.

    Runs both engines in this process: a tree's code belongs into a confined one
    (``compare_apart``). The same seed draws the same scenarios and schedules; the time only decides
    how far it gets.
    """
    for step in comparing(before, after, seconds=seconds, scenarios=scenarios, seed=seed):
        if isinstance(step, Comparison):
            return step
        progress(step)
    raise ModelError("a comparison without an end")


def comparing(
    before: str, after: str, *, seconds: float, scenarios: Iterable[Scenario], seed: int
) -> Iterator[Headway | Comparison]:
    """``compare`` step by step: how far it is after each scenario, and the comparison at last."""
    for name in (before, after):
        engine_of(name)  # a build takes its own time
    granules = [kind_of(name).granule for name in (before, after)]
    if granules[0] != granules[1]:
        right = "two engines whose pages have one size"
        raise InputError(after, f"has pages of {granules[1].name}, not {granules[0].name}", right)
    begun = time.monotonic()
    given = [plain(each) for each in scenarios]
    drawn = seconds * DRAWN
    both = _Both(before, after, seed, inf if given else begun + drawn)
    number = 0
    for number, scenario in enumerate(given or _fitting(before, seed), 1):
        both.compare(scenario, number)
        spent = time.monotonic() - begun
        done = number / len(given) if given else min(1.0, spent / seconds)
        yield Headway(done, both.runs, len(both.found))
        if not given and spent >= drawn:
            break
    both.try_what_is_open(begun + seconds)
    gravity = list(Change)
    found = sorted(both.found.values(), key=lambda each: (gravity.index(each.change), -each.runs))
    untried = tuple(map(both.as_untried, both.left()))
    spent = time.monotonic() - begun
    yield Comparison(before, after, both.runs, number, spent, tuple(found), (), untried)


def plain(scenario: Scenario) -> Scenario:
    """The scenario as it is compared: fresh walks, plain memory, no nested guests, everything given
    back at last."""
    changed = replace(scenario.options, pending_stores=False, tlb=Tlb.FRESH, nested=0)
    options = replace(changed, teardown=True)
    return replace(scenario, options=options)


def _drawn(before: str, seed: int) -> Iterator[Scenario]:
    """The scenarios that a hunt returns to, one in two, and random ones without end; the profiles
    take turns."""
    names, telling = tuple(PROFILES), iter(Ground.STAGE2.returning())
    for number in count():
        if (known := next(telling, None)) is not None:
            yield plain(known)
        data = newest(Random(f"{seed} {number}").randbytes(CHOICES_AT))
        yield plain(decode(data, before, PROFILES[names[number % len(names)]]).scenario)


def _fitting(before: str, seed: int) -> Iterator[Scenario]:
    """The same, as far as the page size of the engines has it."""
    granule = kind_of(before).granule
    return (fitted(each, granule) for each in _drawn(before, seed))


def suspicions(outcome: Outcome, side: int) -> list[Suspicion]:
    """All that a run shows, as what it would be if the other engine never showed it."""
    change = (Change.LOST_VIOLATION, Change.NEW_VIOLATION)[side]
    found = [
        Suspicion(change, each.oracle, each.signature, side, None) for each in outcome.violations
    ]
    if outcome.ended == "limit":
        return found
    atoms = observe(outcome.events, outcome.case.scenario)
    return found + [
        Suspicion(Change.OUTCOME, atom.topic, atom.what, side, atom) for atom in sorted(atoms)
    ]


def shows(outcome: Outcome, suspicion: Suspicion) -> bool:
    """Whether a run shows what a suspicion is about."""
    if suspicion.atom is None:
        return any(each.signature == suspicion.what for each in outcome.violations)
    return suspicion.atom in observe(outcome.events, outcome.case.scenario)
