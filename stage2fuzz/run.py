"""run(case): the one door through which a case becomes events and verdicts, on any engine."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.engine import Trace
from stage2fuzz.errors import InputError
from stage2fuzz.events import Event
from stage2fuzz.fuzz.verdicts import Verdicts
from stage2fuzz.model.engine import ModelEngine
from stage2fuzz.model.revision import known_revisions, parse_revision
from stage2fuzz.oracles.judge import judge
from stage2fuzz.oracles.violation import Rules, Violation
from stage2fuzz.schedule.base import Schedule, Scheduler
from stage2fuzz.schedule.replay import Replay


class Engine(Protocol):
    """What stands behind the door: the model, or a kernel tree compiled in user space."""

    @property
    def rules(self) -> Rules:
        """The era whose rules the oracles apply."""

    @property
    def build(self) -> str:
        """What its schedules belong to: a key of 24 hexadecimal digits, empty for a model."""

    def run(self, scenario: Scenario, scheduler: Scheduler) -> Trace:
        """Run one scenario under one scheduler."""


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

    @property
    def schedule(self) -> Schedule:
        """The executed schedule."""
        return self.case.schedule


@lru_cache(maxsize=64)
def engine_of(name: str) -> Engine:
    """The engine of that name, kept for the life of the process; InputError if there is none."""
    kind, _, rest = name.partition(":")
    if kind == "model":
        return ModelEngine(parse_revision(rest))
    if kind == "kernel":
        from stage2fuzz.kernel import engine as kernel_engine  # noqa: PLC0415  (needs a compiler)

        return kernel_engine(rest)
    raise InputError(name, "unknown engine", f"model:REVISION ({known_revisions()}) or kernel:TREE")


def native_coverage(name: str) -> tuple[int, int, int, int] | None:
    """Where an engine's own edge counters and their table lie: start, stop, start, stop.

    None for the model, whose branches say nothing of order, and for a compiler that counts none.
    """
    if not name.startswith("kernel:"):
        return None
    from stage2fuzz.kernel import engine as kernel_engine  # noqa: PLC0415  (needs a compiler)

    ranges = kernel_engine(name.partition(":")[2]).native.coverage()
    return ranges if ranges[0] else None


def run(case: Case, verdicts: Verdicts | None = None) -> Outcome:
    """Replay ``case`` as far as its schedule goes, then end fairly; judge the events."""
    followed = Replay(case.schedule)
    outcome = run_scheduled(case.engine, case.scenario, followed, verdicts)
    return replace(outcome, diverged=followed.divergence())


def run_scheduled(
    name: str, scenario: Scenario, scheduler: Scheduler, verdicts: Verdicts | None = None
) -> Outcome:
    """Run ``scenario`` under any strategy; the outcome's case replays it.

    With ``verdicts`` (one engine's) a schedule that was executed before is not judged again.
    """
    engine = engine_of(name)
    return outcome_of(name, engine, scenario, engine.run(scenario, scheduler), verdicts)


def outcome_of(
    name: str,
    engine: Engine,
    scenario: Scenario,
    trace: Trace,
    verdicts: Verdicts | None = None,
) -> Outcome:
    """What the oracles say of a run of ``engine``, and the case that replays it."""

    def judged() -> tuple[Violation, ...]:
        return judge(trace.events, engine.rules, len(scenario.vcpus), scenario.threads)

    violations = verdicts.of(scenario, trace.schedule, judged) if verdicts is not None else judged()
    case = Case(name, scenario, trace.schedule, engine.build)
    return Outcome(case, trace.events, violations, trace.preemptions, trace.ended)
