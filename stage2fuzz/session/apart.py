"""Run a case where it can do no harm: in a confined process if its engine's code may take one down.

For commands that run a case or two and print what came out. All functions raise DiedError where
the process does not live to answer: then nothing is known, and a command exits 3.
"""

from dataclasses import replace
from typing import Any, Final

from stage2fuzz.case.case import Case
from stage2fuzz.engine import kind_of
from stage2fuzz.events import KINDS, Event
from stage2fuzz.minimise import BUDGET, Minimum
from stage2fuzz.process.checked import count, listed, number, text
from stage2fuzz.process.frames import Frame
from stage2fuzz.process.limits import is_confined
from stage2fuzz.run import Outcome, run, with_sources
from stage2fuzz.session.case_asker import CaseAsker, read_case_of, read_judgement
from stage2fuzz.session.reproduce import minimise_finding
from stage2fuzz.source import read_stack

RUN_SECONDS: Final = 240.0
"""For one case, which may have to build its engine first."""
MINIMISE_SECONDS: Final = 3600.0


def run_apart(case: Case) -> Outcome:
    """``run(case)``, with the places in the user's tree where the engine knows them."""
    if not _isolated(case):
        return with_sources(run(case))
    with CaseAsker() as asker:
        return asker.ask("run", case, RUN_SECONDS, read_outcome)


def minimise_apart(case: Case, signature: str = "", budget: int = BUDGET) -> Minimum:
    """``minimise_finding(case, signature, budget)``; the result is judged in a clean process."""
    if not _isolated(case):
        return minimise_finding(case, signature, budget)
    with CaseAsker() as asker:
        more = {"signature": signature, "budget": budget, "seconds": MINIMISE_SECONDS}
        return asker.ask("minimise", case, MINIMISE_SECONDS + RUN_SECONDS, read_minimised, more)


def _isolated(case: Case) -> bool:
    return kind_of(case.engine).isolated and not is_confined()


def read_outcome(answer: Frame, engine: str) -> Outcome:
    """The answer to ``run``, distrusted."""
    judged = read_judgement(answer | {"log": ""}, engine)
    events = [_event(each) for each in listed(answer["events"])]
    proofs = [tuple(count(each) for each in listed(proof)) for proof in listed(answer["proofs"])]
    if any(index >= len(events) for proof in proofs for index in proof):
        raise ValueError("a proof names no event")
    violations = tuple(
        replace(each, events=proof) for each, proof in zip(judged.violations, proofs, strict=True)
    )
    preemptions, diverged = count(answer["preemptions"]), text(answer["diverged"])
    known = [read_stack(each) for each in listed(answer["stacks"])]
    stacks = [known[count(each)] for each in listed(answer["places"])]
    if len(stacks) not in (0, len(events)):
        raise ValueError("not each event has a place")
    return Outcome(judged.case, events, violations, preemptions, judged.ended, diverged, stacks)


def read_minimised(answer: Frame, engine: str) -> Minimum:
    """The answer to ``minimise``, distrusted."""
    numbers = count(answer["preemptions"]), count(answer["tries"])
    return Minimum(read_case_of(answer, engine), *numbers, answer["finished"] is True)


def _event(value: Any) -> Event:
    kind, thread, where, old, new, aux = (number(each) for each in listed(value))
    if kind not in KINDS:
        raise ValueError(kind)
    return kind, thread, where, old, new, aux
