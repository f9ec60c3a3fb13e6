"""A local fuzzing session: targets as confined processes, findings confirmed, kept, minimised.

No server is needed. Each job runs one target after another, each in a process of its own with its
own corpus and outbox; this process reads the outboxes and hands each finding to the intake, which
has it run again from its text, keeps it, and has it minimised meanwhile. How each process ended is
looked at: one that ended by itself before its time, or that others killed, is told.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from stage2fuzz import places
from stage2fuzz.case.codec import decode
from stage2fuzz.case.profile import profile_named
from stage2fuzz.engine import kind_of
from stage2fuzz.errors import InputError
from stage2fuzz.fuzz.outbox import Outbox, Statistics, digest_of, killer, printable
from stage2fuzz.process.confined import ConfinedProcess
from stage2fuzz.process.end import End, How
from stage2fuzz.process.life import stall_seconds
from stage2fuzz.process.limits import Limits
from stage2fuzz.session.intake import Intake
from stage2fuzz.session.summary import Summary

if TYPE_CHECKING:
    from stage2fuzz.findings.store import Store

GRACE: Final = 5.0
"""Seconds a target gets to end after its time, or after it was asked to."""
START: Final = 5.0
"""Seconds it may take to begin."""
STALL: Final = 30.0
"""Seconds without one more schedule after which a target hangs."""
INPUT_SECONDS: Final = 10
"""libFuzzer's limit of one input; a run is bounded to some milliseconds by the engine itself."""
EARLY: Final = 3.0
"""Seconds before its time at which an end is worth a word; restarts and rounding cost two."""


@dataclass(slots=True)
class TargetJob:
    """One target process, or the time between two."""

    number: int
    process: ConfinedProcess | None = None
    target: str = ""
    outbox: Outbox | None = None
    ends: float = 0.0
    done: int = 0
    """Schedules when it last showed progress, and when that was."""
    progressed: float = 0.0


@dataclass(slots=True)
class SessionTotals:
    """What the session did so far."""

    schedules: int = 0
    judged: int = 0
    """Schedules that went to the oracles; of the others it is known what they would say."""
    seconds: float = 0.0
    seen: int = 0
    """The features of all processes, a bit each."""

    def add(self, outbox: Outbox) -> Statistics:
        """Count what one process did."""
        done = outbox.statistics()
        self.schedules += done.schedules
        self.judged += done.judged
        self.seconds += done.seconds
        self.seen |= outbox.features()
        return done

    @property
    def features(self) -> int:
        """How many different features all processes showed."""
        return self.seen.bit_count()


class Session:
    """``seconds`` of fuzzing of ``targets`` on ``engine`` with ``jobs`` processes at once."""

    def __init__(
        self,
        store: "Store",
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
        self.seconds, self.jobs = seconds, [TargetJob(number) for number in range(jobs)]
        self.seed, self.options = seed, options
        self.totals = SessionTotals()
        self.shortfalls: Counter[str] = Counter()
        """Why nothing found may not mean that there is nothing, and how often each."""
        self._turn = 0
        self._past = SessionTotals()
        self._folder = tempfile.TemporaryDirectory(prefix="stage2fuzz-")
        self._shunned = Path(self._folder.name) / "shunned"
        self._shunned.touch()
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
            if job.process is None and self._more():
                self._start(job)
            if job.process is not None:
                running = True
                late = time.monotonic() > job.ends + START + GRACE
                if self.intake.stopping or late or self._stalls(job):
                    self._stop(job)
        self._read_outboxes()
        return running or self._more()

    def pause(self) -> None:
        """Wait a moment for the targets."""
        time.sleep(0.1)

    def summary(self) -> Summary:
        """What was done and found; the session must have ended."""
        shortfalls = [
            f"{line}{f' ({times} times)' if times > 1 else ''}"
            for line, times in self.shortfalls.items()
        ]
        left = self._end - time.monotonic()
        if self.intake.stopping and left > EARLY:
            shortfalls.append(f"stopped {left:.0f} of {self.seconds:.0f} s before its time")
        found = [self.intake.store.get(number) for number in self.intake.findings]
        totals = self.totals
        return Summary(
            self.engine,
            totals.schedules,
            totals.judged,
            totals.features,
            totals.seconds,
            found,
            shortfalls,
        )

    def _more(self) -> bool:
        """Whether another target is worth its start; the first of each job always is."""
        return self.left > 1 or (self.left > 0 and self._turn < len(self.jobs))

    def _start(self, job: TargetJob) -> None:
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
            f"--shun={self._shunned}",
            f"-max_total_time={seconds}",
            f"-seed={self.seed + self._turn}",
            f"-timeout={INPUT_SECONDS}",
            f"-artifact_prefix={outbox}{os.sep}",
            str(corpus),
        ]
        with (outbox / "log").open("wb") as log:
            job.process = ConfinedProcess(command, folder, Limits(), stdout=log, cwd=Path.cwd())
        job.outbox = Outbox(outbox, self.engine)
        job.progressed = time.monotonic()
        job.ends = job.progressed + seconds
        job.done = 0
        self._turn += 1

    def _stalls(self, job: TargetJob) -> bool:
        """Whether a target has run nothing for so long that it hangs."""
        assert job.outbox is not None
        done, now = job.outbox.statistics().schedules, time.monotonic()
        if done != job.done:
            job.done, job.progressed = done, now
        return now > job.progressed + stall_seconds(STALL)

    def _stop(self, job: TargetJob) -> None:
        """End a target, kindly and then for good; what it wrote is read all the same."""
        if job.process is None:
            return
        job.process.signal(signal.SIGUSR1)
        with suppress(subprocess.TimeoutExpired):
            job.process.process.wait(GRACE)
        self._ended(job)

    def _ended(self, job: TargetJob) -> None:
        """Read what a target left, and judge how it ended."""
        assert job.process is not None
        assert job.outbox is not None
        hung = job.process.process.poll() is None
        code, early = job.process.close(), job.ends - time.monotonic()
        job.process = None
        self._read_outbox(job.outbox)
        done = self._past.add(job.outbox)
        end = End(How.TIMEOUT, code) if hung else End.of(code)
        isolated = kind_of(self.engine).isolated
        if isolated and self._take_killers(job, end):
            return
        bad = not hung and code not in (0, -signal.SIGUSR1, -signal.SIGKILL)
        if bad and not isolated:
            log = (job.outbox.folder / "log").read_text(errors="replace")
            tail = map(printable, log.strip().splitlines()[-12:])
            self.intake.failures.append("\n".join((f"{job.target} ended with {code}:", *tail)))
        elif bad or hung or (early > EARLY and not self.intake.stopping):
            self.shortfalls[f"{job.target} {end}{', before its time' * (early > 0)}"] += 1
        elif not done.schedules and not self.intake.stopping:
            self.shortfalls[f"{job.target} ran nothing"] += 1

    def _read_outboxes(self) -> None:
        totals = replace(self._past)
        for job in self.jobs:
            if job.process is not None and job.outbox is not None:
                self._read_outbox(job.outbox)
                totals.add(job.outbox)
        self.totals = totals

    def _read_outbox(self, outbox: Outbox) -> None:
        for case, violation in outbox.findings(self.intake.failures.append):
            self.intake.take(case, violation)

    def _take_killers(self, job: TargetJob, end: End) -> bool:
        """Record the inputs that a target's process died of, and let no later one run them."""
        assert job.outbox is not None
        found = self.intake.killers(job.outbox, end, self.engine, job.target)
        for how, data in found:
            case = decode(data, self.engine, profile_named(job.target))
            self.intake.keep(case, killer(how, job.target))
            with self._shunned.open("a") as file:
                file.write(f"{digest_of(data)}\n")
        return bool(found)
