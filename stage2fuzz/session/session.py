"""A local fuzzing session: targets as subprocesses, their findings confirmed, kept, minimised.

No server is needed. Each job runs one target after another, each in a process of its own with its
own corpus and outbox; this process reads the outboxes and hands each finding to the intake, which
has it run again from its text, keeps it, and has it minimised meanwhile.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stage2fuzz import places
from stage2fuzz.case.codec import decode
from stage2fuzz.case.profile import profile_named
from stage2fuzz.engine import kind_of
from stage2fuzz.errors import InputError
from stage2fuzz.findings import Store
from stage2fuzz.fuzz.outbox import Outbox, Statistics, killer
from stage2fuzz.process.confined import Confined
from stage2fuzz.process.limits import Limits
from stage2fuzz.session.intake import Intake

GRACE: Final = 5.0
"""Seconds a target gets to end after it was asked to."""


@dataclass(slots=True)
class Job:
    """One target process, or the time between two."""

    number: int
    process: Confined | None = None
    target: str = ""
    outbox: Outbox | None = None
    ends: float = 0.0


@dataclass(slots=True)
class Totals:
    """What the session did so far."""

    schedules: int = 0
    judged: int = 0
    """Schedules that went to the oracles; of the others it is known what they would say."""
    features: int = 0

    def add(self, done: Statistics) -> None:
        """Count what one process did."""
        self.schedules += done.schedules
        self.judged += done.judged
        self.features += done.features


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
        self._past = Totals()
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
            if job.process is not None and job.process.process.poll() is not None:
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
        outbox, corpus = folder / "outbox", folder / "corpus"
        corpus.mkdir(parents=True)
        outbox.mkdir()
        seconds = max(1, round(min(self._slice, self.left)))
        command = [
            sys.executable,
            str(places.TARGETS / f"{job.target}.py"),
            *self.options,
            f"--engine={self.engine}",
            f"--outbox={outbox}",
            f"-max_total_time={seconds}",
            f"-seed={self.seed + self._turn}",
            f"-artifact_prefix={outbox}{os.sep}",
            str(corpus),
        ]
        with (outbox / "log").open("wb") as log:
            job.process = Confined(command, folder, Limits(), stdout=log, cwd=Path.cwd())
        job.outbox = Outbox(outbox, self.engine)
        job.ends = time.monotonic() + seconds
        self._turn += 1

    def _stop(self, job: Job) -> None:
        """End a target, kindly and then for good; what it wrote is read all the same."""
        if job.process is None:
            return
        job.process.signal(signal.SIGUSR1)
        with suppress(subprocess.TimeoutExpired):
            job.process.process.wait(GRACE)
        self._ended(job)

    def _ended(self, job: Job) -> None:
        assert job.process is not None
        assert job.outbox is not None
        code = job.process.close()
        job.process = None
        self._read_outbox(job.outbox)
        self._past.add(job.outbox.statistics())
        ended_by_us = code in (0, -signal.SIGUSR1, -signal.SIGKILL)
        if not ended_by_us and not self._take_killers(job.outbox, job.target, code):
            log = (job.outbox.folder / "log").read_text(errors="replace")
            tail = "\n".join(log.strip().splitlines()[-12:])
            self.intake.failures.append(f"{job.target} ended with {code}:\n{tail}")

    def _read_outboxes(self) -> None:
        totals = replace(self._past)
        for job in self.jobs:
            if job.process is not None and job.outbox is not None:
                self._read_outbox(job.outbox)
                totals.add(job.outbox.statistics())
        self.totals = totals

    def _read_outbox(self, outbox: Outbox) -> None:
        for case, violation in outbox.findings(self.intake.failures.append):
            self.intake.take(case, violation)

    def _take_killers(self, outbox: Outbox, target: str, code: int) -> bool:
        """Record the input that a target's process died of, where compiled code ran in it."""
        if not kind_of(self.engine).isolated:
            return False
        found = outbox.killers(outbox.folder, code)
        for how, data in found:
            case = decode(data, self.engine, profile_named(target))
            self.intake.keep(case, killer(how, target))
        return bool(found)
