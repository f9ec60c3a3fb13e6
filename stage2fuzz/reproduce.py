"""Reproduce and minimise: the glue between ``run`` and the minimiser, which knows no engine."""

from typing import Final

from stage2fuzz.case import Case
from stage2fuzz.errors import InputError
from stage2fuzz.minimise import Minimised, Replayed, minimise
from stage2fuzz.minimise.door import Same
from stage2fuzz.run import Outcome, run
from stage2fuzz.validate import check_scenario

BUDGET: Final = 2000
"""Replays a minimisation may cost; most need a few hundred."""


def same_signature(signature: str) -> Same:
    """The predicate of the minimiser: replay, and ask for the very same fault."""

    def same(case: Case) -> Replayed | None:
        try:
            check_scenario(case.scenario, "candidate")
        except InputError:
            return None  # a page left its slot: no case at all
        outcome = run(case)
        if signature in signatures(outcome):
            return Replayed(outcome.schedule, outcome.preemptions)
        return None

    return same


def signatures(outcome: Outcome) -> tuple[str, ...]:
    """The signatures of an outcome, in the order in which the faults were proved."""
    return tuple(violation.signature for violation in outcome.violations)


def minimise_finding(case: Case, signature: str = "", budget: int = BUDGET) -> Minimised:
    """The simplest case with the same fault; without a signature, the first one the case shows.

    InputError where the case does not show it.
    """
    shown = signatures(run(case))
    if not shown:
        raise InputError(case.engine, "the case shows no violation", "one that does")
    if signature and signature not in shown:
        raise InputError(case.engine, f"the case shows {shown[0]!r}", f"one with {signature!r}")
    return minimise(case, same_signature(signature or shown[0]), budget)
