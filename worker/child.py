"""The clean process: one request file in, one answer line a step out, and nothing else.

Anything that runs a case may hang or die, so a worker never runs one itself; it starts this
program, confined, and reads its answers afterwards. Each line is written before the next step
begins, so that of a batch whose process died it is known which input it died of.

Usage: python -m stage2fuzz.worker.child REQUEST ANSWERS
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.errors import InputError
from stage2fuzz.fuzz.harness import features
from stage2fuzz.minimise import Replayed, minimise
from stage2fuzz.report import event_log
from stage2fuzz.run import Outcome, run, run_scheduled
from stage2fuzz.schedule import STRATEGIES, strategy
from stage2fuzz.session.reproduce import signed

SEARCH_SCHEDULES: Final = 200
"""Schedules of each strategy tried on an engine before a fault counts as absent there: another
revision takes other steps, so that the recorded schedule alone proves nothing."""

Answer = dict[str, Any]


def measure(request: Answer) -> Iterator[Answer]:
    """The features of each input file, in the order given."""
    for name in request["files"]:
        data = Path(name).read_bytes()
        found = features(data, request["engine"], request["target"])
        yield {"file": name, "features": sorted(found)}


def judge(request: Answer) -> Iterator[Answer]:
    """The signatures that a case shows, the log and hash of its events, and who ran it."""
    outcome = run(parse(request["case"], "case"))
    log = event_log(outcome.events)
    yield {
        "signatures": sorted(signatures(outcome)),
        "events": hashlib.sha256(log.encode()).hexdigest(),
        "log": log,
        "build": outcome.case.build,
    }


def minimised(request: Answer) -> Iterator[Answer]:
    """The smaller case, and how many runs it took."""
    end = time.monotonic() + request["seconds"]

    def same(candidate: Case) -> Replayed | None:
        if time.monotonic() > end:
            return None
        outcome = run(candidate)
        if request["signature"] not in signatures(outcome):
            return None
        return Replayed(outcome.schedule, outcome.preemptions)

    smaller = minimise(parse(request["case"], "case"), same)
    yield {"case": format_case(signed(smaller.case)), "runs": smaller.tries}


def regress(request: Answer) -> Iterator[Answer]:
    """For each engine, whether the case shows its signature there, by any schedule we try."""
    case = parse(request["case"], "case")
    for engine in request["engines"]:
        try:
            present = shows(replace(case, engine=engine), request["signature"])
        except InputError as error:
            yield {"engine": engine, "unknown": str(error)}
        else:
            yield {"engine": engine, "present": present}


def shows(case: Case, signature: str) -> bool:
    """Replay first, then search a little around the same scenario."""
    if signature in signatures(run(case)):
        return True
    for name in STRATEGIES:
        chooser = strategy(name, 1)
        for _ in range(SEARCH_SCHEDULES):
            outcome = run_scheduled(case.engine, case.scenario, chooser)
            if signature in signatures(outcome):
                return True
    return False


def signatures(outcome: Outcome) -> set[str]:
    """What an outcome violates, by name."""
    return {violation.signature for violation in outcome.violations}


STEPS: Final[dict[str, Callable[[Answer], Iterator[Answer]]]] = {
    "measure": measure,
    "judge": judge,
    "minimise": minimised,
    "regress": regress,
}


def main(request_file: str, answer_file: str) -> None:
    """Answer one request."""
    request = json.loads(Path(request_file).read_text())
    with Path(answer_file).open("w") as answers:
        for answer in STEPS[request["do"]](request):
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
