"""Carry out a fuzz order: one fuzz target, run by path as a confined process, in a fresh folder.

``atheris.Fuzz()`` never returns and an uncaught exception ends its process, so it can't run inside
a worker. What comes back is read from our own files only: the outbox, ``stats.json``, the corpus
folder and libFuzzer's artifacts; never from its log. Findings are recorded while it still runs.
"""

import json
import sys
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.codec import decode
from stage2fuzz.case.profile import profile_named
from stage2fuzz.case.text import parse
from stage2fuzz.errors import InputError
from stage2fuzz.findings import leases
from stage2fuzz.findings.coverage import pack
from stage2fuzz.findings.leases import MAX_INPUT_BYTES, MAX_INPUTS, Input
from stage2fuzz.findings.outage import patiently
from stage2fuzz.fuzz.harness import killer, killers, reported
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.service.orders import MAX_SEEDS, FuzzOrder, FuzzResult
from stage2fuzz.worker import clean, process
from stage2fuzz.worker.job import LOG, Job

GRACE_SECONDS: Final = 20.0
"""Start-up and the end of the last input, beyond the order's own seconds."""
MEASURE_SECONDS: Final = 120.0
INPUT_SECONDS: Final = 10
"""libFuzzer's limit of one input; a run is bounded to some milliseconds by the engine itself."""
MEMORY_MEBIBYTES: Final = 1024
MAX_FINDING: Final = 1 << 20
MAX_FINDINGS: Final = 1000


@dataclass(slots=True)
class _Outbox:
    """The findings of one run: each file is read once, and a bad one refused once."""

    job: Job
    folder: Path
    engine: str
    seen: set[str] = field(default_factory=set)
    recorded: int = 0

    def collect(self) -> None:
        """Record the findings that are new in the folder."""
        fresh = {path.name for path in self.folder.glob("*.finding.json")} - self.seen
        for name in sorted(fresh):
            if len(self.seen) >= MAX_FINDINGS:
                return
            self.seen.add(name)
            try:
                found, violation = read_finding(self.folder / name, self.engine)
                self.job.report(found, violation, "")
            except (InputError, OSError) as error:
                LOG.error("lease %d: %s", self.job.held.lease, error)
            else:
                self.recorded += 1


def fuzz(job: Job, order: FuzzOrder) -> None:
    """Fuzz, hand in what was found, commit."""
    corpus, outbox, artifacts = (job.folder / name for name in ("corpus", "outbox", "artifacts"))
    for folder in (corpus, outbox, artifacts):
        folder.mkdir()
    seeds = patiently(lambda: leases.seeds(job.store.engine, job.held, order))
    for digest, data in seeds.items():
        (corpus / digest).write_bytes(data)
    found = _Outbox(job, outbox, order.engine)

    def beat() -> None:
        job.beat()
        found.collect()

    limit = order.seconds + GRACE_SECONDS
    ended = process.run(program(job, order), job.folder, limit, beat)
    found.collect()
    died = _report_killers(job, order, killers(outbox, artifacts, ended.code))
    if ended.how != "ok" and not died:
        process.expect_room(job.folder)
        if ended.how == "crash":
            last = process.last_words(job.folder)
            raise process.DiedError(f"{order.target} ended with {ended.code}, no input: {last}")
    inputs = _new_inputs(job, order, corpus, set(seeds))
    stats = read_stats(outbox / "stats.json")
    job.commit(
        FuzzResult(
            schedules=stats["schedules"],
            seconds=stats["seconds"],
            findings=found.recorded,
            inputs=len(inputs),
            ended=ended.how,
            killers=died,
        ),
        inputs,
    )


def program(job: Job, order: FuzzOrder) -> tuple[str, ...]:
    """The command line of the fuzz target. Raises InputError where there is no such target."""
    script = job.settings.targets / f"{order.target}.py"
    if not script.is_file():
        raise InputError(order.target, "there is no such fuzz target", "a script of fuzz_targets")
    return (
        sys.executable,
        str(script),
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


def read_finding(path: Path, engine: str) -> tuple[Case, Violation]:
    """One file of an outbox, distrusted; it must be about ``engine``. Raises InputError."""
    if path.is_symlink() or path.stat().st_size > MAX_FINDING:
        raise InputError(path.name, "is no finding", f"a file of at most {MAX_FINDING} bytes")
    try:
        raw: Any = json.loads(path.read_text())
        texts = [raw[name] for name in ("oracle", "rule", "verdict", "signature", "case")]
        if not all(isinstance(text, str) for text in texts):
            raise InputError(path.name, "is no finding (a field is no text)")
        violation = reported(raw)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(path.name, f"is no finding ({error!r})") from None
    found = parse(raw["case"], path.name)
    if found.engine != engine:
        raise InputError(path.name, f"is about {found.engine}", engine)
    return found, violation


def read_stats(path: Path) -> dict[str, Any]:
    """Schedules and seconds; zero where the process died before it wrote any."""
    try:
        raw = json.loads(path.read_text())
        return {"schedules": int(raw["schedules"]), "seconds": float(raw["seconds"])}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {"schedules": 0, "seconds": 0.0}


def _report_killers(job: Job, order: FuzzOrder, fatal: list[tuple[str, bytes]]) -> tuple[str, ...]:
    """Record the inputs that the process died of, as findings of their own; their digests."""
    for how, data in fatal[:MAX_SEEDS]:
        report_killer(job, order.engine, order.target, data, how)
    return tuple(sha256(data).hexdigest() for _how, data in fatal[:MAX_SEEDS])


def report_killer(job: Job, engine: str, target: str, data: bytes, how: str) -> int:
    """Record an input that ends the process that runs it."""
    return job.report(decode(data, engine, profile_named(target)), killer(how, target), "")


def _new_inputs(job: Job, order: FuzzOrder, corpus: Path, old: set[str]) -> list[Input]:
    """What the target added to its corpus and the campaign has not covered yet, the small first."""
    fresh = [path for path in corpus.iterdir() if path.name not in old and not path.is_symlink()]
    sized = sorted((path.stat().st_size, path.name) for path in fresh)
    names = [f"corpus/{name}" for size, name in sized if size <= MAX_INPUT_BYTES][:MAX_INPUTS]
    if not names:
        return []
    features, killers = clean.measure(
        job.folder, order.engine, order.target, names, MEASURE_SECONDS, job.beat
    )
    for name, ended in sorted(killers.items()):
        data = (job.folder / name).read_bytes()
        report_killer(job, order.engine, order.target, data, ended.how)
    covered = patiently(
        lambda: leases.covered(job.store.engine, job.held, order.engine, order.target)
    )
    inputs = []
    for name, found in features.items():
        if not found <= covered:
            covered |= found
            data = (job.folder / name).read_bytes()
            digest = sha256(data).hexdigest()
            inputs.append(Input(order.engine, order.target, digest, data, pack(found)))
    return inputs
