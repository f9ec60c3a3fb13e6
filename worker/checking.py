"""Carry out confirm, minimise, regress and prune orders: questions to a confined process."""

from hashlib import sha256
from typing import Final

from stage2fuzz.case.text import format_case, parse
from stage2fuzz.errors import InputError
from stage2fuzz.findings import leases
from stage2fuzz.findings.outage import patiently
from stage2fuzz.process.end import DiedError
from stage2fuzz.process.limits import Limits
from stage2fuzz.process.wait import expect_room
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
from stage2fuzz.session.case_asker import CaseAsker
from stage2fuzz.worker.fuzzing import measure
from stage2fuzz.worker.job import Job

CASE_SECONDS: Final = 30.0
"""For one case in a confined process; a run takes milliseconds, the start most of the time."""
ENGINE_SECONDS: Final = 60.0
"""For one engine of a regress order."""
PROCESS: Final = "process/"
"""How signatures of inputs begin that end their process."""


def asker(job: Job, seconds: float, hash_seed: int = 0) -> CaseAsker:
    """A confined process for questions that take ``seconds``."""
    return CaseAsker(job.folder, Limits(cpu=2 * int(seconds) + 10), hash_seed, job.beat)


def confirm(job: Job, order: ConfirmOrder) -> None:
    """Run the case in several confined processes, each with another hash seed."""
    case = parse(order.case, "order")
    hits = answered = 0
    log = build = ""
    events = set()
    fatal = order.signature.startswith(PROCESS)
    died = None
    for attempt in range(order.times):
        with asker(job, CASE_SECONDS, attempt) as asked:
            try:
                judged = asked.judge(case, CASE_SECONDS)
            except DiedError as error:
                expect_room(job.folder)
                died = error
                hits += fatal
                answered += fatal
                continue
        answered += 1
        hits += order.signature in judged.signatures
        events.add(sha256(judged.log.encode()).digest())
        log, build = judged.log[:MAX_CASE_TEXT], judged.case.build
    if died is not None and not answered:
        raise died
    job.commit(ConfirmResult(hits, order.times, len(events) <= 1, log, build))


def minimise(job: Job, order: MinimiseOrder) -> None:
    """Make the case smaller; where that does not work out, the case stays as it is.

    Code that crashed once may have damaged the process in which it was minimised, so the smaller
    case has to show the same in a clean one.
    """
    if order.signature.startswith(PROCESS):
        job.commit(MinimiseResult(order.case, 0))
        return
    case = parse(order.case, "order")
    with asker(job, order.seconds + CASE_SECONDS) as asked:
        smaller = asked.minimise(case, order.signature, order.seconds, CASE_SECONDS)
        asked.renew()
        shown = order.signature in asked.judge(smaller.case, CASE_SECONDS).signatures
    job.commit(MinimiseResult(format_case(smaller.case) if shown else order.case, smaller.tries))


def regress(job: Job, order: RegressOrder) -> None:
    """Ask of each engine whether it shows the finding; one that dies or is not here is unknown."""
    case = parse(order.case, "order")
    present: list[str] = []
    absent: list[str] = []
    unknown: list[str] = []
    for engine in order.engines:
        shown: bool | None
        with asker(job, ENGINE_SECONDS) as asked:
            try:
                shown = asked.shows(case, order.signature, engine, ENGINE_SECONDS)
            except DiedError:
                expect_room(job.folder)
                shown = True if order.signature.startswith(PROCESS) else None
            except InputError:
                shown = None
            else:
                if order.signature.startswith(PROCESS):
                    shown = False
        (unknown if shown is None else present if shown else absent).append(engine)
    job.commit(RegressResult(tuple(present), tuple(absent), tuple(unknown)))


def prune(job: Job, order: PruneOrder) -> None:
    """Measure suspects again, and name those that kill or hang the process."""
    seeds = patiently(lambda: leases.seeds(job.store.engine, job.held, order))
    (job.folder / "corpus").mkdir()
    paths = {job.folder / "corpus" / digest: digest for digest in sorted(seeds)}
    for path, digest in paths.items():
        path.write_bytes(seeds[digest])
    measured = measure(job, order.engine, order.target, paths, judging=True)
    killers = tuple(digest for path, digest in paths.items() if path not in measured)
    job.commit(PruneResult(len(paths), killers))
