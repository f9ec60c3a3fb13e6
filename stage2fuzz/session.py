"""A local fuzzing session: targets as subprocesses, their findings confirmed, kept, minimised.

No server is needed. Each job runs one target after another, each in a process of its own with its
own corpus and outbox; this process reads the outboxes, has every finding run again from its text in
a process apart (that did not make it, so it is a reproduction from scratch), records it, and has it
minimised there meanwhile. What crashes an engine's code ends another process than this one.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import stage2fuzz
from stage2fuzz.apart import Apart, DiedError
from stage2fuzz.case import Case
from stage2fuzz.casetext import parse
from stage2fuzz.codec import decode
from stage2fuzz.errors import InputError, ModelError
from stage2fuzz.findings import Store
from stage2fuzz.harness import killer, killers, reported
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.profile import profile_named
from stage2fuzz.report import event_log
from stage2fuzz.reproduce import minimise_finding, signatures
from stage2fuzz.run import Outcome, run

TARGETS: Final = ("map_race", "permission_mix", "dirty_logging", "notifier", "block_split")
SCRIPTS: Final = Path(stage2fuzz.__file__).resolve().parent.parent / "fuzz_targets"
GRACE: Final = 5.0
"""Seconds a target gets to end after it was asked to."""
RUN_SECONDS: Final = 60.0
"""For one case in the process apart, which may have to build its engine first."""
MINIMISE_SECONDS: Final = 30.0


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
    features: int = 0
    failures: list[str] = field(default_factory=list)
    """Target processes that ended badly, findings that do not reproduce: our own bugs."""


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
        if not SCRIPTS.is_dir():
            raise InputError("fuzz", "the fuzz targets are not here", "run it from a checkout")
        self.store, self.engine, self.targets = store, engine, targets
        self.seconds, self.jobs = seconds, [Job(number) for number in range(jobs)]
        self.seed, self.options = seed, options
        self.totals = Totals()
        self.findings: dict[int, str] = {}
        """Finding number -> verdict, in the order in which they came."""
        self.to_minimise: deque[int] = deque()
        self.stopping = False
        self._turn = 0
        self._past = {"schedules": 0, "features": 0}
        self._read: set[Path] = set()
        self._apart = Apart()
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
        self._apart.renew()
        self._folder.cleanup()

    @property
    def left(self) -> float:
        """Seconds of fuzzing that are left."""
        return 0.0 if self.stopping else max(0.0, self._end - time.monotonic())

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

    def minimise_one(self) -> int | None:
        """Minimise the oldest finding that waits for it; its number, or None if none waits."""
        if not self.to_minimise:
            return None
        number = self.to_minimise.popleft()
        finding = self.store.get(number)
        case = parse(finding.case_text, f"finding {number}")
        try:
            smaller = self._apart.ask(
                MINIMISE_SECONDS + RUN_SECONDS,
                minimise_finding,
                case,
                finding.signature,
                seconds=MINIMISE_SECONDS,
            ).case
            if finding.oracle == "CRASH":
                self._apart.renew()  # it has crashed so often that nothing it says is sure
            if finding.signature in signatures(self._run(smaller)):
                self.store.attach_minimised(number, smaller)
        except DiedError:
            pass  # the case stays as it was found
        return number

    def _run(self, case: Case) -> Outcome:
        """Run a case in the process apart. Raises DiedError."""
        outcome = self._apart.ask(RUN_SECONDS, run, case)
        if outcome.ended == "crash":
            self._apart.renew()
        return outcome

    def _start(self, job: Job) -> None:
        job.target = self.targets[self._turn % len(self.targets)]
        folder = Path(self._folder.name) / f"{self._turn}"
        job.outbox, corpus = folder / "outbox", folder / "corpus"
        corpus.mkdir(parents=True)
        job.outbox.mkdir()
        seconds = max(1, round(min(self._slice, self.left)))
        command = [
            sys.executable,
            str(SCRIPTS / f"{job.target}.py"),
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
            self.totals.failures.append(f"{job.target} ended with {code}:\n" + "\n".join(tail))

    def _read_outboxes(self) -> None:
        live = dict(self._past)
        for job in self.jobs:
            if job.process is not None:
                self._read_outbox(job.outbox)
                for name, value in _stats(job.outbox).items():
                    if name in live:
                        live[name] += value
        self.totals.schedules, self.totals.features = live["schedules"], live["features"]

    def _read_outbox(self, outbox: Path) -> None:
        for path in sorted(outbox.glob("*.finding.json")):
            if path not in self._read:
                self._read.add(path)
                self._take(json.loads(path.read_text()))

    def _take(self, finding: dict[str, str]) -> None:
        """Run a reported finding from scratch and record it; one that does not show is our bug."""
        case = parse(finding["case"], "finding")
        try:
            outcome = self._run(case)
        except DiedError:
            self._keep(case, reported(finding))
            return
        if outcome.case.build != case.build:
            what = f"the tree changed while it was fuzzed ({case.build}, {outcome.case.build})"
            raise InputError(self.engine, what, "start again")
        same = [v for v in outcome.violations if v.signature == finding["signature"]]
        if not same:
            self.totals.failures.append(f"does not reproduce: {finding['signature']}")
            return
        before = len(self.findings)
        number = self._keep(case, same[0], event_log(outcome.events))
        self.store.confirm(number, hits=1, attempts=1, build=case.build)
        if len(self.findings) > before and not self.store.get(number).minimised:
            self.to_minimise.append(number)

    def _take_killers(self, job: Job, code: int) -> bool:
        """Record the input that a target's process died of, where compiled code ran in it."""
        if not self.engine.startswith("kernel:"):
            return False
        found = killers(job.outbox, job.outbox, code)
        for how, data in found:
            case = decode(data, self.engine, profile_named(job.target))
            self._keep(case, killer(how, job.target))
        return bool(found)

    def _keep(self, case: Case, violation: Violation, log: str = "") -> int:
        """Record a finding; its number."""
        number = self.store.record(case, violation, log).number
        self.findings.setdefault(number, violation.verdict)
        return number


def _stats(outbox: Path) -> dict[str, int]:
    try:
        read = json.loads((outbox / "stats.json").read_text())
    except FileNotFoundError:
        return {}
    if not isinstance(read, dict):
        raise ModelError(f"{outbox}: statistics are not an object")
    return {name: int(value) for name, value in read.items()}
