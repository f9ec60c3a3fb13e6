"""run(case): the one door through which a case becomes events and verdicts, on any engine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.engine import Engine, SourceEngine, Trace, engine_of
from stage2fuzz.events import LIMIT_NAMES, Event
from stage2fuzz.oracles.judge import judge
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.schedule.base import Schedule, Scheduler
from stage2fuzz.schedule.replay import Replay
from stage2fuzz.source import Stack

JudgeFunction = Callable[[Engine, Scenario, Trace], tuple[Violation, ...]]
"""Says what is wrong with a run; a caller may bring one that remembers, or none at all."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case that ran: what happened, and what the oracles say of it."""

    case: Case
    """The case with the schedule that was really executed; running it again gives these events."""
    events: list[Event]
    violations: tuple[Violation, ...]
    preemptions: int
    ended: str
    """``finished``, ``deadlock``, ``crash``, or ``limit`` (inconclusive: no verdict by itself)."""
    diverged: str = ""
    """Where a replay first left its schedule; empty where it could be followed."""
    stacks: Sequence[Stack] = ()
    """Where in the user's tree each event comes from, if somebody asked (``with_sources``)."""

    @property
    def limit(self) -> str:
        """What the run had too many of, where a limit ended it; else empty."""
        return LIMIT_NAMES[self.events[-1][5]] if self.ended == "limit" else ""

    @property
    def schedule(self) -> Schedule:
        """The executed schedule."""
        return self.case.schedule


def judge_run(
    engine: Engine, scenario: Scenario, trace: Trace, *, lasso: bool = True
) -> tuple[Violation, ...]:
    """Ask all oracles about a run of ``engine``, of progress only if it may hold a ``lasso``."""
    vcpus = len(scenario.vcpus)
    return judge(trace.events, engine.rules, vcpus, scenario.threads, lasso=lasso)


def run(case: Case, judge: JudgeFunction = judge_run) -> Outcome:
    """Replay ``case`` as far as its schedule goes, then end fairly; judge the events."""
    followed = Replay(case.schedule)
    outcome = run_scheduled(case.engine, case.scenario, followed, judge)
    return replace(outcome, diverged=followed.divergence())


def with_sources(outcome: Outcome) -> Outcome:
    """The same with the line of the user's tree that each event comes from, where an engine knows.

    The run is made once more for that, so that no other run pays for it.
    """
    engine = engine_of(outcome.case.engine)
    if not isinstance(engine, SourceEngine):
        return outcome
    stacks = engine.stacks(outcome.case.scenario, outcome.schedule)
    if len(stacks) != len(outcome.events):  # a crash may come elsewhere in damaged memory
        return outcome
    violations = tuple(replace(each, source=_source(each, stacks)) for each in outcome.violations)
    return replace(outcome, stacks=stacks, violations=violations)


def _source(violation: Violation, stacks: Sequence[Stack]) -> Stack:
    """Of the steps that prove a violation, the place of the last that the user's code made."""
    return next((stacks[each] for each in reversed(violation.events) if stacks[each]), ())


def run_scheduled(
    name: str, scenario: Scenario, scheduler: Scheduler, judge: JudgeFunction = judge_run
) -> Outcome:
    """Run ``scenario`` under any strategy; the outcome's case replays it."""
    engine = engine_of(name)
    return outcome_of(name, engine, scenario, engine.run(scenario, scheduler), judge)


def outcome_of(
    name: str, engine: Engine, scenario: Scenario, trace: Trace, judge: JudgeFunction = judge_run
) -> Outcome:
    """What ``judge`` says of a run of ``engine``, and the case that replays it."""
    violations = judge(engine, scenario, trace)
    case = Case(name, scenario, trace.schedule, engine.build)
    return Outcome(case, trace.events, violations, trace.preemptions, trace.ended)
