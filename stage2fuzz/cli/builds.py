"""A case under the build that made it, or under another: what replay has to say of that.

A schedule belongs to a build. Under another one it may mean another interleaving, so whoever reads
the replay is told; under its own it is followed step for step, or the engine is wrong.
"""

import sys
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import parse
from stage2fuzz.engine import engine_of
from stage2fuzz.errors import ModelError
from stage2fuzz.report import event_log
from stage2fuzz.run import Outcome
from stage2fuzz.session.apart import run_apart
from stage2fuzz.session.reproduce import signatures

if TYPE_CHECKING:
    from stage2fuzz.findings.models import Finding


def warn_of_build(what: str, case: Case) -> None:
    """One line on standard error where ``case`` was made by another build than would run it."""
    build = engine_of(case.engine).build
    if case.build not in ("", build):
        _warn(what, f"build {case.build} made this case, {_named(case.engine, build)} runs it")


def check_build(what: str, case: Case, outcome: Outcome, finding: "Finding | None") -> None:
    """Compare the replay of ``case`` with what its build recorded.

    Another build's differences are warnings on standard error; its own are a ModelError.
    """
    if not case.build:
        return
    told = []
    if outcome.diverged:
        told.append(f"its schedule was left at {outcome.diverged}")
    if finding is not None and (difference := _first_difference(case, outcome, finding)):
        told.append(difference)
    ran = outcome.case
    if ran.build == case.build:
        if told:
            raise ModelError(f"{what}: build {case.build} does not repeat itself: {told[0]}")
        return
    for line in told or ["nothing differs as far as that is on record"]:
        _warn(what, line)
    if finding is not None and finding.signature not in signatures(outcome):
        _warn(what, f"not seen with {_named(ran.engine, ran.build)}")


def _first_difference(case: Case, outcome: Outcome, finding: "Finding") -> str:
    """The first event that is not the one in the finding's log, which is of its first case."""
    if not finding.events:
        return ""
    if finding.minimised:
        first = parse(finding.case_text, f"finding {finding.id}")
        outcome = run_apart(replace(first, engine=outcome.case.engine))
    complete = finding.events.rpartition("\n")[0].split("\n")
    now = event_log(outcome.events).splitlines()
    if not finding.events.endswith("\n"):
        now = now[: len(complete)]  # the log was cut to what a row may hold
    for before, after in zip_longest(complete, now, fillvalue="nothing more"):
        if before != after:
            of = " of its first case" if finding.minimised else ""
            return f"the first event{of} that differs was '{before.strip()}', is '{after.strip()}'"
    return ""


def _named(engine: str, build: str) -> str:
    return f"build {build}" if build else engine


def _warn(what: str, line: str) -> None:
    print(f"stage2fuzz: warning: {what}: {line}", file=sys.stderr)
