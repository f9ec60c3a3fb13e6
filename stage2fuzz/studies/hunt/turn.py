"""One turn: some schedules of one scenario, run and judged in one child process.

The judge sits where the runs are made, so that no events cross a process boundary; what comes back
are figures and the first run of each signature, as JSON that its reader distrusts.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.events import CRASH
from stage2fuzz.fuzz.outbox import parse_violation, violation_record
from stage2fuzz.kernel.abi import S2ExploreCounts
from stage2fuzz.kernel.explore import explore
from stage2fuzz.kernel.native import Native
from stage2fuzz.oracles.judge import judge
from stage2fuzz.oracles.native.binding import NativeJudge
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.process.checked import count
from stage2fuzz.process.frames import Frame
from stage2fuzz.rules import Rules
from stage2fuzz.schedule.base import Schedule

ENGINE: Final = "kernel:turn"
"""Stands in case texts for the library that asker and process both know."""
COUNTED: Final = ("runs", "classes", "judged", "inconclusive", "restarts", "forgotten")
"""The figures of a turn's outcome."""


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
class FirstShowing:
    """The first run that showed a signature to the process that took the turn."""

    violation: Violation
    schedule: Schedule | None
    """None where it died with its process."""
    runs: int
    """Runs of the turn up to this one."""


@dataclass(slots=True)
class TurnResult:
    """What a turn did."""

    runs: int = 0
    classes: int = 0
    judged: int = 0
    inconclusive: int = 0
    restarts: int = 0
    forgotten: int = 0
    """Stale translations that the window TLB had no room for: behaviour that was left out."""
    crashed: bool = False
    died: bool = False
    """The process did, so that not all is known."""
    seen: dict[str, int] = field(default_factory=dict)
    """Signature -> judged runs that showed it."""
    limits: dict[str, int] = field(default_factory=dict)
    """What there was too much of -> runs that this limit ended."""
    found: dict[str, FirstShowing] = field(default_factory=dict)


class Wording:
    """The compiled oracles of one process, and the words that Python found for what they object to.

    Words are found once a process and not once a turn: an objection's key says the rule and what
    its words are made of, so the same key means the same signature in every scenario of an era.
    """

    def __init__(self, compiled: NativeJudge) -> None:
        self._compiled = compiled
        self._rules: Rules | None = None
        self._signatures: dict[int, list[str]] = {}
        """Number of a set of objections -> their signatures."""
        self._before: dict[int, int] = {}
        """Runs that had each set before this turn."""

    @property
    def address(self) -> int:
        """The judge for an engine in C."""
        return self._compiled.address

    def begin(self, turn: Turn) -> None:
        """The next runs are this turn's."""
        if self._rules != turn.rules:
            self._compiled.begin()
            self._rules = turn.rules
            self._signatures.clear()
        self._compiled.scenario(turn.rules, len(turn.scenario.vcpus), turn.scenario.threads)
        self._before = {number: self._compiled.runs(number) for number in self._signatures}

    def note(self, said: Sequence[Violation]) -> bool:
        """Python ``said`` so of the last run, which we never differ from: ModelError. Whether it
        has a number, under which its like is counted."""
        self._compiled.check(said)
        number = self._compiled.number
        if number >= 0:
            self._signatures[number] = [violation.signature for violation in said]
        return number >= 0

    def counts(self) -> Iterator[tuple[list[str], int]]:
        """The signatures of each numbered set, and how many runs of this turn had it."""
        for number, signatures in self._signatures.items():
            yield signatures, self._compiled.runs(number) - self._before.get(number, 0)


def take(
    native: Native, turn: Turn, wording: Wording | None = None, judging: int | None = None
) -> TurnResult:
    """Run a turn to its end: in the child.

    With the compiled oracles' ``wording`` only runs to which they object in a way that is new to
    this process come here, and some to which nobody does; ``TurnResult.found`` has what is new.
    ``judging`` is the address of another judge in C, which passes over what it is content with.
    """
    told, done = S2ExploreCounts(), TurnResult()
    scenario = turn.scenario
    vcpus, threads = len(scenario.vcpus), scenario.threads
    if wording is not None:
        wording.begin(turn)
    asked = wording.address if wording is not None else judging
    for kept in explore(
        native, scenario, turn.seed, turn.schedules, turn.number, told, turn.classes, asked
    ):
        said = judge(kept.trace.events, turn.rules, vcpus, threads, lasso=kept.lasso)
        for violation in said:
            if violation.signature not in done.found:
                found = FirstShowing(violation, kept.trace.schedule, told.runs)
                done.found[violation.signature] = found
        if wording is None or not wording.note(said):
            _count_runs(done.seen, [violation.signature for violation in said], 1)
        done.crashed = kept.trace.events[-1][0] == CRASH
        if time.monotonic() > turn.until:
            break
    for signatures, runs in wording.counts() if wording is not None else ():
        _count_runs(done.seen, signatures, runs)
    done.classes = done.judged = told.classes
    done.runs, done.inconclusive, done.restarts = told.runs, told.inconclusive, told.restarts
    done.forgotten, done.limits = told.forgotten, told.by_limit()
    return done


def _count_runs(seen: dict[str, int], signatures: list[str], runs: int) -> None:
    for signature in signatures if runs else ():
        seen[signature] = seen.get(signature, 0) + runs


def to_question(turn: Turn) -> Frame:
    """A turn as it is sent; ``parse_turn`` reads it."""
    return {
        "number": turn.number,
        "scenario": format_case(Case(ENGINE, turn.scenario)),
        "seed": turn.seed,
        "schedules": turn.schedules,
        "classes": turn.classes,
        "rules": asdict(turn.rules),
        "until": turn.until,
    }


def parse_turn(question: Frame) -> Turn:
    """What an asker sent."""
    scenario = parse(question["scenario"], "turn").scenario
    rules = Rules(**question["rules"])
    return Turn(**question | {"scenario": scenario, "rules": rules})


def to_answer(done: TurnResult, scenario: Scenario) -> Frame:
    """The outcome of a turn of ``scenario`` as it is sent; ``read_answer`` reads it."""
    found = [
        {
            "violation": violation_record(each.violation),
            "case": format_case(Case(ENGINE, scenario, each.schedule or Schedule())),
            "runs": each.runs,
        }
        for each in done.found.values()
    ]
    told = {name: getattr(done, name) for name in (*COUNTED, "crashed", "seen", "limits")}
    return told | {"found": found}


def read_answer(answer: Frame) -> TurnResult:
    """A turn's outcome, distrusted. Raises ValueError, KeyError, TypeError or InputError."""
    done = TurnResult(crashed=answer["crashed"] is True)
    for name in COUNTED:
        setattr(done, name, count(answer[name]))
    done.limits = {str(name): count(times) for name, times in answer["limits"].items()}
    done.seen = {str(signature): count(times) for signature, times in answer["seen"].items()}
    for each in answer["found"]:
        violation = parse_violation(each["violation"], "turn")
        schedule = parse(each["case"], "turn").schedule
        done.found[violation.signature] = FirstShowing(violation, schedule, count(each["runs"]))
        done.seen.setdefault(violation.signature, 1)
    return done
