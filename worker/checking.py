"""Carry out confirm, minimise, regress and prune orders: questions to a clean process."""

from hashlib import sha256
from typing import Final

from stage2fuzz.case.text import parse
from stage2fuzz.findings import leases
from stage2fuzz.findings.outage import patiently
from stage2fuzz.service.orders import (
    MAX_CASE_TEXT,
    ConfirmOrder,
    ConfirmResult,
    MinimiseOrder,
    MinimiseResult,
    PruneOrder,
    PruneResult,
    RegressOrder,
    RegressResult,
)
from stage2fuzz.worker import clean, process
from stage2fuzz.worker.fuzzing import MEASURE_SECONDS, report_killer
from stage2fuzz.worker.job import Job

CASE_SECONDS: Final = 30.0
"""For one case in a clean process; a run takes milliseconds, the start most of the time."""
ENGINE_SECONDS: Final = 60.0
"""For one engine of a regress order."""
PROCESS: Final = "process/"
"""How signatures of inputs begin that end their process."""


def confirm(job: Job, order: ConfirmOrder) -> None:
    """Run the case in several clean processes, each with another hash seed."""
    hits = answered = 0
    log = build = ""
    events = set()
    for attempt in range(order.times):
        request = {"do": "judge", "case": order.case}
        answers = clean.ask(job.folder, request, CASE_SECONDS, job.beat, hash_seed=attempt)
        process.expect_room(job.folder)
        if order.signature.startswith(PROCESS):
            hits += answers.ended.how != "ok"
            answered += 1
        for line in answers.lines:
            answered += 1
            hits += order.signature in line["signatures"]
            events.add(line["events"])
            log, build = line["log"][:MAX_CASE_TEXT], line["build"]
    if not answered:
        raise process.DiedError("the case ends the clean process")
    job.commit(ConfirmResult(hits, order.times, len(events) <= 1, log, build))


def minimise(job: Job, order: MinimiseOrder) -> None:
    """Make the case smaller; where that does not work out, the case stays as it is.

    Code that crashed once may have damaged the process in which it was minimised, so the smaller
    case has to show the same in a clean one.
    """
    request = {
        "do": "minimise",
        "case": order.case,
        "signature": order.signature,
        "seconds": order.seconds,
    }
    if order.signature.startswith(PROCESS):
        job.commit(MinimiseResult(order.case, 0))
        return
    answers = clean.ask(job.folder, request, order.seconds + CASE_SECONDS, job.beat)
    if not answers.lines:
        raise process.DiedError(f"minimising ended with {answers.ended.code}")
    line = answers.lines[0]
    parse(line["case"], "the minimised case")
    again = clean.ask(job.folder, {"do": "judge", "case": line["case"]}, CASE_SECONDS, job.beat)
    shown = any(order.signature in each["signatures"] for each in again.lines)
    job.commit(MinimiseResult(line["case"] if shown else order.case, line["runs"]))


def regress(job: Job, order: RegressOrder) -> None:
    """Ask of each engine whether it shows the finding; one that dies or is not here is unknown."""
    present: list[str] = []
    absent: list[str] = []
    unknown: list[str] = []
    for engine in order.engines:
        request = {
            "do": "regress",
            "case": order.case,
            "signature": order.signature,
            "engines": [engine],
        }
        answers = clean.ask(job.folder, request, ENGINE_SECONDS, job.beat)
        process.expect_room(job.folder)
        shown = answers.lines[0].get("present") if answers.lines else None
        if order.signature.startswith(PROCESS):
            shown = answers.ended.how != "ok"
        (unknown if shown is None else present if shown else absent).append(engine)
    job.commit(RegressResult(tuple(present), tuple(absent), tuple(unknown)))


def prune(job: Job, order: PruneOrder) -> None:
    """Measure suspects again, and name those that kill or hang the process."""
    seeds = patiently(lambda: leases.seeds(job.store.engine, job.held, order))
    (job.folder / "corpus").mkdir()
    for digest, data in seeds.items():
        (job.folder / "corpus" / digest).write_bytes(data)
    names = [f"corpus/{digest}" for digest in sorted(seeds)]
    _features, killers = clean.measure(
        job.folder, order.engine, order.target, names, MEASURE_SECONDS, job.beat
    )
    for name, ended in sorted(killers.items()):
        data = (job.folder / name).read_bytes()
        report_killer(job, order.engine, order.target, data, ended.how)
    digests = tuple(
        sorted(sha256((job.folder / name).read_bytes()).hexdigest() for name in killers)
    )
    job.commit(PruneResult(len(names), digests))
