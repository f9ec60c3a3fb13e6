"""A local fuzzing session: targets as subprocesses, their findings confirmed, kept, minimised.

No server is needed. Each job runs one target after another, each in a process of its own with its
own corpus and outbox; this process reads the outboxes and hands each finding to the intake, which
has it run again from its text, keeps it, and has it minimised meanwhile.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stage2fuzz import places
from stage2fuzz.case.codec import decode
from stage2fuzz.case.profile import profile_named
from stage2fuzz.case.text import parse
from stage2fuzz.engine import kind_of
from stage2fuzz.errors import InputError, ModelError
from stage2fuzz.findings import Store
from stage2fuzz.fuzz.harness import killer, killers, reported
from stage2fuzz.session.intake import Intake

GRACE: Final = 5.0
"""Seconds a target gets to end after it was asked to."""


@dataclass(slots=True)
class Job:
    """One target process, or the time between two."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    target: str = ""
    outbox: Path = Path()
    ends: float = 0.0


@dataclass(slots=True)
class Totals:
    """What the session did so far."""

    schedules: int = 0
    judged: int = 0
    """Schedules that went to the oracles; of the others it is known what they would say."""
    features: int = 0


class Session:
    """``seconds`` of fuzzing of ``targets`` on ``engine`` with ``jobs`` processes at once."""

    def __init__(
        self,
        store: Store,
        engine: str,
        targets: tuple[str, ...],
        seconds: float,
        jobs: int,
        seed: int = 1,
        options: tuple[str, ...] = (),
    ) -> None:
        """``options`` go to the targets as they are: ``--own-loop``, ``--no-seeds``."""
        if not places.TARGETS.is_dir():
            raise InputError("fuzz", "the fuzz targets are not here", "run it from a checkout")
        self.intake, self.engine, self.targets = Intake(store), engine, targets
        self.seconds, self.jobs = seconds, [Job(number) for number in range(jobs)]
        self.seed, self.options = seed, options
        self.totals = Totals()
        self._turn = 0
        self._past = {"schedules": 0, "judged": 0, "features": 0}
        self._read: set[Path] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="stage2fuzz-")
        self._end = time.monotonic() + seconds
        self._slice = max(2.0, seconds * jobs / max(jobs, len(targets)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for job in self.jobs:
            self._stop(job)
        self.intake.close()
        self._folder.cleanup()

    @property
    def left(self) -> float:
        """Seconds of fuzzing that are left."""
        return 0.0 if self.intake.stopping else max(0.0, self._end - time.monotonic())

    def step(self) -> bool:
        """Start, end and read what there is to; False when fuzzing is over and all is read."""
        running = False
        for job in self.jobs:
            if job.process is not None and job.process.poll() is not None:
                self._ended(job)
            if job.process is None and self.left > 1:
                self._start(job)
            if job.process is not None:
                running = True
                if self.left == 0 or time.monotonic() > job.ends + GRACE:
                    self._stop(job)
        self._read_outboxes()
        return running or self.left > 1

    def pause(self) -> None:
        """Wait a moment for the targets."""
        time.sleep(0.1)

    def _start(self, job: Job) -> None:
        job.target = self.targets[self._turn % len(self.targets)]
        folder = Path(self._folder.name) / f"{self._turn}"
        job.outbox, corpus = folder / "outbox", folder / "corpus"
        corpus.mkdir(parents=True)
        job.outbox.mkdir()
        seconds = max(1, round(min(self._slice, self.left)))
        command = [
            sys.executable,
            str(places.TARGETS / f"{job.target}.py"),
            *self.options,
            f"--engine={self.engine}",
            f"--outbox={job.outbox}",
            f"-max_total_time={seconds}",
            f"-seed={self.seed + self._turn}",
            f"-artifact_prefix={job.outbox}{os.sep}",
            str(corpus),
        ]
        with (job.outbox / "log").open("wb") as log:
            job.process = subprocess.Popen(
                command,
                env={**os.environ, "TMPDIR": self._folder.name},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        job.ends = time.monotonic() + seconds
        self._turn += 1

    def _stop(self, job: Job) -> None:
        """End a target, kindly and then for good; what it wrote is read all the same."""
        process = job.process
        if process is None:
            return
        for number in (signal.SIGUSR1, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, number)
                try:
                    process.wait(GRACE)
                except subprocess.TimeoutExpired:
                    continue
        self._ended(job)

    def _ended(self, job: Job) -> None:
        assert job.process is not None
        code = job.process.returncode
        job.process = None
        self._read_outbox(job.outbox)
        stats = _stats(job.outbox)
        for name in self._past:
            self._past[name] += stats.get(name, 0)
        if code not in (0, -signal.SIGUSR1, -signal.SIGKILL) and not self._take_killers(job, code):
            tail = (job.outbox / "log").read_text(errors="replace").strip().splitlines()[-12:]
            self.intake.failures.append(f"{job.target} ended with {code}:\n" + "\n".join(tail))

    def _read_outboxes(self) -> None:
        live = dict(self._past)
        for job in self.jobs:
            if job.process is not None:
                self._read_outbox(job.outbox)
                for name, value in _stats(job.outbox).items():
                    if name in live:
                        live[name] += value
        self.totals = Totals(**live)

    def _read_outbox(self, outbox: Path) -> None:
        for path in sorted(outbox.glob("*.finding.json")):
            if path not in self._read:
                self._read.add(path)
                finding = json.loads(path.read_text())
                self.intake.take(parse(finding["case"], "finding"), reported(finding))

    def _take_killers(self, job: Job, code: int) -> bool:
        """Record the input that a target's process died of, where compiled code ran in it."""
        if not kind_of(self.engine).isolated:
            return False
        found = killers(job.outbox, job.outbox, code)
        for how, data in found:
            case = decode(data, self.engine, profile_named(job.target))
            self.intake.keep(case, killer(how, job.target))
        return bool(found)


def _stats(outbox: Path) -> dict[str, int]:
    try:
        read = json.loads((outbox / "stats.json").read_text())
    except FileNotFoundError:
        return {}
    if not isinstance(read, dict):
        raise ModelError(f"{outbox}: statistics are not an object")
    return {name: int(value) for name, value in read.items()}
