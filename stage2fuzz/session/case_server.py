"""The confined process that runs cases: what it can be asked, and its answers.

Anything that runs a case may hang or die, so nobody who keeps findings runs one himself.
``case_asker`` is the other end; what each question takes and gives is written there.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from stage2fuzz.case.text import format_case, parse
from stage2fuzz.engine import LineCountingEngine, engine_of
from stage2fuzz.errors import InputError
from stage2fuzz.fuzz.harness import features
from stage2fuzz.fuzz.outbox import violation_record
from stage2fuzz.minimise import BUDGET
from stage2fuzz.process.frames import Frame
from stage2fuzz.process.phase import show_phase
from stage2fuzz.process.serve import serve
from stage2fuzz.report import event_log
from stage2fuzz.run import run, with_sources
from stage2fuzz.session.reproduce import minimise_finding, shows


def judge(question: Frame) -> Iterator[Frame]:
    """Run a case from its text."""
    outcome = with_sources(run(parse(question["case"], "case")))
    yield {
        "case": format_case(outcome.case),
        "violations": [violation_record(each) for each in outcome.violations],
        "log": event_log(outcome.events),
        "ended": outcome.ended,
    }


def run_whole(question: Frame) -> Iterator[Frame]:
    """Run a case, and tell all that an ``Outcome`` has."""
    outcome = with_sources(run(parse(question["case"], "case")))
    places = {stack: number for number, stack in enumerate(dict.fromkeys(outcome.stacks))}
    yield {
        "case": format_case(outcome.case),
        "stacks": list(places),
        "places": [places[stack] for stack in outcome.stacks],
        "violations": [violation_record(each) for each in outcome.violations],
        "proofs": [each.events for each in outcome.violations],
        "events": outcome.events,
        "preemptions": outcome.preemptions,
        "ended": outcome.ended,
        "diverged": outcome.diverged,
    }


def minimise(question: Frame) -> Iterator[Frame]:
    """Make a case smaller that shows a fault."""
    case, signature = parse(question["case"], "case"), question["signature"]
    budget = question.get("budget", BUDGET)
    smaller = minimise_finding(case, signature, budget, question["seconds"])
    yield {
        "case": format_case(smaller.case),
        "preemptions": smaller.preemptions,
        "tries": smaller.tries,
        "finished": smaller.finished,
    }


def measure(question: Frame) -> Iterator[Frame]:
    """The features of each input file, in the order given."""
    engine, target, judging = question["engine"], question["target"], question["judging"]
    for name in question["files"]:
        yield {"features": sorted(features(Path(name).read_bytes(), engine, target, judging))}


def cover(question: Frame) -> Iterator[Frame]:
    """Which lines of an engine's tree cases run; those that it can't run are passed over."""
    engine, cases = engine_of(question["engine"]), []
    for each in question["cases"]:
        with suppress(InputError):
            case = parse(each, "case")
            cases.append((case.scenario, case.schedule))
    lines = engine.lines_run(cases) if isinstance(engine, LineCountingEngine) else []
    yield {"cases": len(cases), "lines": [(*line, hit) for line, hit in lines]}


def find(question: Frame) -> Iterator[Frame]:
    """Whether an engine shows the fault of a case that was found on another one."""
    case = parse(question["case"], "case")
    try:
        yield {"present": shows(replace(case, engine=question["engine"]), question["signature"])}
    except InputError as error:
        yield {"unknown": str(error)}


def prepare(question: Frame) -> Iterator[Frame]:
    """Have an engine built and proved, and kept where others find it."""
    engine_of(question["engine"])
    yield {}


ANSWERS: Final[dict[str, Callable[[Frame], Iterator[Frame]]]] = {
    "prepare": prepare,
    "judge": judge,
    "run": run_whole,
    "minimise": minimise,
    "measure": measure,
    "find": find,
    "cover": cover,
}


def answers(question: Frame) -> Iterator[Frame]:
    """What was asked, with the question as the name of the process that is at it."""
    show_phase(question["do"])
    return ANSWERS[question["do"]](question)


if __name__ == "__main__":
    serve(answers)
