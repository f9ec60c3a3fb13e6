"""Carry out a fuzz order: one fuzz target, run by path as a confined process, in a fresh folder.

``atheris.Fuzz()`` never returns and an uncaught exception ends its process, so it can't run inside
a worker. What comes back is read from our own files only: the outbox, the corpus folder and
libFuzzer's artifacts; never from its log. Findings are recorded while it still runs.
"""

import os
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from stage2fuzz.case.codec import decode
from stage2fuzz.case.profile import profile_named
from stage2fuzz.engine import kind_of
from stage2fuzz.errors import InputError
from stage2fuzz.findings import leases
from stage2fuzz.findings.corpus import Input
from stage2fuzz.findings.coverage import pack
from stage2fuzz.findings.leases import MAX_INPUT_BYTES, MAX_INPUTS
from stage2fuzz.findings.outage import patiently
from stage2fuzz.fuzz.outbox import Outbox, digest_of, files, killer, read_bounded
from stage2fuzz.process.end import DiedError, End, How
from stage2fuzz.process.forked import ForkServer
from stage2fuzz.process.limits import Limits
from stage2fuzz.process.wait import expect_room, last_words
from stage2fuzz.process.zygote import Zygote
from stage2fuzz.service.orders import CUT_SHORT, MAX_SEEDS, NOT_BEGUN, FuzzOrder, FuzzResult
from stage2fuzz.session.case_asker import CaseAsker
from stage2fuzz.session.killers import killers
from stage2fuzz.session.measure import measured_by_fork
from stage2fuzz.worker.job import LOG, Job, LeaseLostError

GRACE_SECONDS: Final = 20.0
"""Start-up and the end of the last input, beyond the order's own seconds."""
EARLY_SECONDS: Final = 2.0
"""Before its time at which an end is told; a restart with too little left costs 1.5 at most."""
HUNG_SECONDS: Final = 8.0
"""Of silence after which a target whose campaign ends was not at work, but hung; it tells how far
it is twice a second."""
BUILD_SECONDS: Final = 180.0
"""For a tree's engine, which is built once; the compiler takes most of it."""
MEASURE_SECONDS: Final = 120.0
INPUT_SECONDS: Final = 10
"""libFuzzer's limit of one input; a run is bounded to some milliseconds by the engine itself."""
MEMORY_MEBIBYTES: Final = 1024
IMPORTED: Final = (
    "stage2fuzz.fuzz_targets.driver",
    "stage2fuzz.model.engine",
    "stage2fuzz.kernel.opener",
    "stage2fuzz.session.measure",
    "atheris",
)
"""What fuzz targets and measuring import: our own code and Atheris, and nothing of a tree."""


def fuzz(job: Job, order: FuzzOrder) -> None:
    """Seeds in, run, findings out while it runs, new inputs measured, commit."""
    outbox, ended = Outbox(job.folder / "outbox", order.engine), ""
    try:
        prepare(job, order.engine)
        old, begun = lay_out_seeds(job, order), time.monotonic()
        end, found = run_target(job, order, outbox)
        early = end.how is How.OK and time.monotonic() - begun < order.seconds - EARLY_SECONDS
        ended = str(How.EARLY if early else end.how)
        died = report_killers(job, order, outbox, end)
        inputs = new_inputs(job, order, outbox, old)
        done = outbox.statistics()
        result = FuzzResult(done.schedules, done.seconds, found, len(inputs), ended, died)
        handed_in = job.commit(result, inputs)
    except LeaseLostError:
        handed_in = False
    except DiedError as error:
        if not cut_short(job, outbox, str(error.end.how)):
            raise
        return
    if not handed_in and not cut_short(job, outbox, ended):
        raise LeaseLostError


def cut_short(job: Job, outbox: Outbox, ended: str) -> bool:
    """Hand in what was done of an order whose campaign is over; False where it goes on.

    ``ended`` is how its target ended, empty where it did not by itself. One that said nothing
    for long was not at work, and one that never did has not begun.
    """
    silence, done = outbox.silence(), outbox.statistics()
    if not ended and silence > (HUNG_SECONDS if outbox.has_spoken else GRACE_SECONDS):
        ended = str(How.TIMEOUT)
    elif ended in ("", How.OK):
        ended = CUT_SHORT if outbox.has_spoken else NOT_BEGUN
    return job.cut_short(FuzzResult(done.schedules, done.seconds, ended=ended))


def prepare(job: Job, engine: str) -> None:
    """Have a tree's engine built before the time of an order runs, once in this process.

    Raises InputError and DiedError where there is no such engine to be had.
    """
    if not kind_of(engine).isolated or engine in _PREPARED:
        return
    with CaseAsker(job.folder, beat=job.beat) as asker:
        asker.prepare(engine, BUILD_SECONDS)
    _PREPARED.add(engine)


_PREPARED: Final[set[str]] = set()


def lay_out_seeds(job: Job, order: FuzzOrder) -> set[str]:
    """The order's folders, and its seeds as files of the corpus; their names."""
    for name in ("corpus", "outbox", "artifacts"):
        (job.folder / name).mkdir()
    seeds = patiently(lambda: leases.seeds(job.store.engine, job.held, order))
    for digest, data in seeds.items():
        (job.folder / "corpus" / digest).write_bytes(data)
    return set(seeds)


def run_target(job: Job, order: FuzzOrder, outbox: Outbox) -> tuple[End, int]:
    """Run the target to its end and record what it finds meanwhile; how it ended, how many."""
    found = 0

    def refuse(why: str) -> None:
        LOG.error("lease %d: %s", job.held.lease, why)

    def beat() -> None:
        nonlocal found
        outbox.silence()
        job.beat()
        for case, violation in outbox.findings(refuse):
            try:
                job.report(case, violation, "")
            except InputError as error:
                refuse(str(error))
            else:
                found += 1

    seconds = order.seconds + GRACE_SECONDS
    limits = Limits(cpu=2 * int(seconds) + 10)
    script, arguments = program(job, order)
    server = fork_server(os.getpid())
    end = server.run(script, arguments, job.folder, limits, seconds, beat)
    beat()
    return end, found


@lru_cache(maxsize=1)
def fork_server(process: int) -> ForkServer:
    """The fork server of ``process``, which is this one: it must not be shared over a fork."""
    LOG.info("process %d has a fork server", process)
    return ForkServer(IMPORTED, zygote() if zygote.cache_info().currsize else None)


@lru_cache(maxsize=1)
def zygote() -> Zygote:
    """Where the worker's processes have their fork servers from; made before those are forked."""
    return Zygote(IMPORTED)


def program(job: Job, order: FuzzOrder) -> tuple[Path, tuple[str, ...]]:
    """The fuzz target and its arguments. Raises InputError where there is no such target."""
    script = job.settings.targets / f"{order.target}.py"
    if not script.is_file():
        raise InputError(order.target, "there is no such fuzz target", "a script of fuzz_targets")
    return script, (
        f"--engine={order.engine}",
        "--outbox=outbox",
        f"-max_total_time={order.seconds}",
        f"-seed={order.seed or 1}",
        f"-timeout={INPUT_SECONDS}",
        f"-rss_limit_mb={MEMORY_MEBIBYTES}",
        "-artifact_prefix=artifacts/",
        "-verbosity=0",
        "corpus",
    )


def report_killers(job: Job, order: FuzzOrder, outbox: Outbox, end: End) -> tuple[str, ...]:
    """Record the inputs that the process died of, as findings of their own; their digests.

    Raises DiedError for one that died of no input, NoRoomError where a full disk explains it.
    """
    words = last_words(job.folder / "log")
    with CaseAsker(job.folder, beat=job.beat) as asker:
        artifacts = job.folder / "artifacts"
        fatal = killers(outbox, artifacts, end, asker, order.engine, order.target)[:MAX_SEEDS]
    for how, data in fatal:
        report_killer(job, order.engine, order.target, data, how)
    if end.how is not How.OK and not fatal:
        expect_room(job.folder)
        if end.how is How.CRASH:
            raise DiedError(f"{order.target}, no input", end, words)
    return tuple(digest_of(data) for _how, data in fatal)


def report_killer(job: Job, engine: str, target: str, data: bytes, how: str) -> int:
    """Record an input that ends the process that runs it."""
    return job.report(decode(data, engine, profile_named(target)), killer(how, target), "")


def new_inputs(job: Job, order: FuzzOrder, outbox: Outbox, old: set[str]) -> list[Input]:
    """What the target added to its corpus and the campaign has not covered yet, the small first.

    What the target claims of its inputs decides which are worth being measured, and no more.
    """
    fresh = [path for path in files(job.folder / "corpus") if path.name not in old]
    read = ((path, read_bounded(path, MAX_INPUT_BYTES)) for path in fresh)
    datas = {path: data for path, data in read if data is not None}
    covered = patiently(
        lambda: leases.covered(job.store.engine, job.held, order.engine, order.target)
    )
    datas = worth_measuring(datas, outbox.claims(), covered)
    small_first = sorted(datas, key=lambda path: (len(datas[path]), path.name))[:MAX_INPUTS]
    if not small_first:
        return []
    measured = measure(job, order.engine, order.target, small_first)
    inputs = []
    for path, features in measured.items():
        if not features <= covered:
            covered |= features
            digest = digest_of(datas[path])
            inputs.append(Input(order.engine, order.target, digest, datas[path], pack(features)))
    return inputs


def worth_measuring(
    datas: Mapping[Path, bytes],
    claims: Mapping[str, frozenset[int]] | None,
    covered: frozenset[int],
) -> dict[Path, bytes]:
    """The inputs that claim a feature that neither the campaign nor a smaller one of them has.

    All where none claims anything.
    """
    if claims is None:
        return dict(datas)
    worth, seen = {}, set(covered)
    for path in sorted(datas, key=lambda path: (len(datas[path]), path.name)):
        fresh = claims.get(digest_of(datas[path]), frozenset())
        if not fresh <= seen:
            seen |= fresh
            worth[path] = datas[path]
    return worth


def measure(
    job: Job, engine: str, target: str, paths: Iterable[Path], judging: bool = False
) -> dict[Path, frozenset[int]]:
    """The features of inputs by a confined process; those that kill it are recorded instead."""
    asked, server = list(paths), fork_server(os.getpid())
    measured: dict[Path, frozenset[int]] = {}
    if not judging:
        measured = measured_by_fork(
            server, job.folder, engine, target, asked, MEASURE_SECONDS, job.beat
        )
    left = [path for path in asked if path not in measured]
    if not left:
        return measured
    with CaseAsker(job.folder, beat=job.beat) as asker:
        more, fatal = asker.features(engine, target, left, MEASURE_SECONDS, judging)
    for path, end in sorted(fatal.items()):
        data = read_bounded(path, MAX_INPUT_BYTES)
        if data is not None:
            report_killer(job, engine, target, data, str(end.how))
    return measured | more
