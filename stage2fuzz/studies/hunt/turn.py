"""One turn: some schedules of one scenario, run and judged in one child process.

The judge sits where the runs are made, so that no events cross a process boundary; what comes back
are figures and the first run of each signature.
"""

import time
from dataclasses import dataclass, field

from stage2fuzz.case.scenario import Scenario
from stage2fuzz.events import CRASH
from stage2fuzz.kernel.abi import Told
from stage2fuzz.kernel.explore import explore
from stage2fuzz.kernel.native import Native
from stage2fuzz.oracles.judge import judge
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.rules import Rules
from stage2fuzz.schedule.base import Schedule


@dataclass(frozen=True, slots=True)
class Turn:
    """What a child is asked to do: at most ``schedules`` runs, and at most ``classes`` judged."""

    number: int
    """The scenario's number; its classes are its own."""
    scenario: Scenario
    seed: int
    schedules: int
    classes: int
    rules: Rules
    until: float = float("inf")
    """On the clock of ``time.monotonic``, which processes share."""


@dataclass(frozen=True, slots=True)
class Found:
    """The first run of a turn that showed a signature."""

    violation: Violation
    schedule: Schedule | None
    """None where it died with its process."""
    runs: int
    """Runs of the turn up to this one."""


@dataclass(slots=True)
class Done:
    """What a turn did."""

    runs: int = 0
    classes: int = 0
    judged: int = 0
    inconclusive: int = 0
    restarts: int = 0
    crashed: bool = False
    died: bool = False
    """The process did, so that not all is known."""
    seen: dict[str, int] = field(default_factory=dict)
    """Signature -> judged runs that showed it."""
    found: dict[str, Found] = field(default_factory=dict)


def take(native: Native, turn: Turn) -> Done:
    """Run a turn to its end: in the child."""
    told, done = Told(), Done()
    scenario = turn.scenario
    vcpus, threads = len(scenario.vcpus), scenario.threads
    for kept in explore(native, scenario, turn.seed, turn.schedules, turn.number, told):
        done.classes += 1
        for violation in judge(kept.trace.events, turn.rules, vcpus, threads):
            signature = violation.signature
            done.seen[signature] = done.seen.get(signature, 0) + 1
            if signature not in done.found:
                done.found[signature] = Found(violation, kept.trace.schedule, told.runs)
        done.judged += 1
        done.crashed = kept.trace.events[-1][0] == CRASH
        if done.classes == turn.classes or time.monotonic() > turn.until:
            break
    done.runs, done.inconclusive, done.restarts = told.runs, told.inconclusive, told.restarts
    return done
