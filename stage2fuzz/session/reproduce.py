"""Reproduce and minimise: the glue between ``run`` and the minimiser, which knows no engine."""

import time
from dataclasses import replace
from math import inf
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.errors import InputError
from stage2fuzz.minimise import BUDGET, Minimum, Recurrence, minimise
from stage2fuzz.minimise.door import Same
from stage2fuzz.minimise.operations import drop_operation
from stage2fuzz.minimise.threads import drop_thread
from stage2fuzz.process.life import alive
from stage2fuzz.run import Outcome, run, run_scheduled
from stage2fuzz.schedule import STRATEGIES, strategy
from stage2fuzz.schedule.base import Schedule

SEARCHERS: Final = ("breaker", "random")
SEARCHES: Final = 24
"""Runs of each of them in a smaller scenario before it is given up."""
SEARCHES_ELSEWHERE: Final = 200
"""Runs of each strategy on another engine before a fault counts as absent there: another revision
takes other steps, so that the recorded schedule alone proves nothing."""


def same_signature(signature: str, end: float = inf) -> Same:
    """The predicate of the minimiser: replay, and ask for the very same fault, until ``end``."""
    begun = False

    def same(case: Case) -> Recurrence | None:
        nonlocal begun
        if begun and time.monotonic() > end:
            return None
        begun = True
        alive()
        outcome = run(case)
        if signature in signatures(outcome):
            return Recurrence(outcome.schedule, outcome.preemptions)
        return None

    return same


def signatures(outcome: Outcome) -> tuple[str, ...]:
    """The signatures of an outcome, in the order in which the faults were proved."""
    return tuple(violation.signature for violation in outcome.violations)


def shows(case: Case, signature: str) -> bool:
    """Whether the case's engine shows a fault: replay first, then search around its scenario."""
    if signature in signatures(run(case)):
        return True
    for name in STRATEGIES:
        chooser = strategy(name, 1)
        for _ in range(SEARCHES_ELSEWHERE):
            alive()
            outcome = run_scheduled(case.engine, case.scenario, chooser)
            if signature in signatures(outcome):
                return True
    return False


def minimise_finding(
    case: Case, signature: str = "", budget: int = BUDGET, seconds: float = inf
) -> Minimum:
    """The simplest case with the same fault; without a signature, the first one the case shows.

    After ``seconds`` no other candidate is tried: one that never ends costs seconds each time.
    InputError where the case does not show the fault.
    """
    end = time.monotonic() + seconds
    shown = signatures(run(case))
    if not shown:
        raise InputError(case.engine, "the case shows no violation", "one that does")
    if signature and signature not in shown:
        raise InputError(case.engine, f"the case shows {shown[0]!r}", f"one with {signature!r}")
    fault = signature or shown[0]
    smallest = minimise(find_again(case, fault, end), same_signature(fault, end), budget)
    finished = smallest.finished and time.monotonic() <= end
    return replace(smallest, case=signed(smallest.case), finished=finished)


def signed(case: Case) -> Case:
    """``case`` with the build that runs it now, and with a schedule that this build can follow.

    The minimiser may keep a schedule that replay only reads leniently, which names no build's run.
    """
    outcome = run(case)
    if outcome.case.build and outcome.diverged:
        return outcome.case
    return replace(case, build=outcome.case.build)


def find_again(case: Case, signature: str, end: float = inf) -> Case:
    """The same fault with fewer threads and operations, found anew, or ``case`` itself.

    A schedule that needs three vCPUs seldom becomes one of two by leaving runs out, above all not
    a stall; but a strategy that looks in the smaller scenario soon meets the fault if it is there.
    """
    best = case
    for fewer in (drop_thread, drop_operation):
        smaller: Case | None = best
        while smaller is not None:
            best = smaller
            candidates = fewer(best, Schedule())
            smaller = next(
                filter(None, (_found(each, signature, end) for each in candidates)), None
            )
    plainer = _found(best, signature, end)
    return best if plainer is None or _length(run(best)) <= _length(run(plainer)) else plainer


def _found(case: Case, signature: str, end: float) -> Case | None:
    """The shortest of some runs of this scenario that show the fault."""
    shown = []
    for name in SEARCHERS:
        for number in range(SEARCHES):
            if time.monotonic() > end:
                break
            alive()
            outcome = run_scheduled(case.engine, case.scenario, strategy(name, number))
            if signature in signatures(outcome):
                shown.append(outcome)
    return min(shown, key=_length).case if shown else None


def _length(outcome: Outcome) -> tuple[int, int]:
    """What makes a run long to read: its preemptions, then its runs."""
    return outcome.preemptions, len(outcome.schedule.runs)
