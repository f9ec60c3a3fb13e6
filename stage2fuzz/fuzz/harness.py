"""One fuzz input: decode, run, judge, record a new signature. Knows no Atheris and no database.

Every byte string is a case. What is run of it is the portfolio's matter; what is recorded is the
schedule that was executed, so a finding replays the same whichever way it came.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final
from zlib import crc32

from stage2fuzz.case.case import Case
from stage2fuzz.case.codec import decode
from stage2fuzz.case.profile import profile_named
from stage2fuzz.case.text import format_case
from stage2fuzz.fuzz.current_input import ROOM, Running, left_running
from stage2fuzz.fuzz.features import COUNTERS, feature_set
from stage2fuzz.fuzz.portfolio import portfolio_of
from stage2fuzz.oracles.violation import Category, Violation
from stage2fuzz.run import Outcome

STATS_EVERY: Final = 0.5
"""Seconds between two writes of ``stats.json``."""
FINDING_FORMAT: Final = 1
ARTIFACTS: Final = {"crash": "crash", "timeout": "timeout", "oom": "memory"}
"""libFuzzer's name of an input that its process died of, and ours."""


class Harness:
    """The state of one fuzzing process: counters, signatures seen, where findings go."""

    def __init__(self, engine: str, target: str, outbox: Path | None = None) -> None:
        """``outbox`` is the folder for findings and statistics; InputError for a bad name."""
        self.engine, self.target, self.outbox = engine, target, outbox
        self.profile = profile_named(target)
        self.counters = bytearray(COUNTERS)
        """Filled by each input; whoever feeds back clears it (libFuzzer does so itself)."""
        self.portfolio = portfolio_of(engine)
        self.signatures: set[str] = set()
        self.shunned: set[str] = set()
        """SHA-256 of inputs not to be run again, since they crashed."""
        self.after_crash: Callable[[bytes], None] = lambda _data: None
        """Called when an input's run crashed and is reported; need not come back."""
        self.inputs = 0
        self.schedules = 0
        self.kept = 0
        self.features = 0
        self._judged = 0
        """By the processes that this one goes on for."""
        self._started = self._written = time.monotonic()
        self._running: Running | None = None
        if outbox is not None:
            outbox.mkdir(parents=True, exist_ok=True)
            self._running = Running(outbox)

    def one_input(self, data: bytes) -> list[Outcome]:
        """Run one input; new signatures go to the outbox. What was judged comes back.

        In place of a shunned input the empty one is run.
        """
        if self.shunned and sha256(data).hexdigest() in self.shunned:
            data = b""
        if self._running is not None:
            self._running.begin(data)
        case = decode(data, self.engine, self.profile)
        schedules, outcomes = self.portfolio.run(case, crc32(data), self.counters)
        for outcome in outcomes:
            for violation in outcome.violations:
                if violation.signature not in self.signatures:
                    self.signatures.add(violation.signature)
                    self._record(outcome.case, violation)
        if self._running is not None:
            self._running.end()
        self.inputs += 1
        self.schedules += schedules
        now = time.monotonic()
        if self.outbox is not None and now - self._written > STATS_EVERY:
            self._written = now
            self.write_stats()
        if any(outcome.ended == "crash" for outcome in outcomes):
            self.after_crash(data)
        return outcomes

    def note_features(self) -> None:
        """Count the last input if it showed features that none showed before."""
        new = self.portfolio.new_features(self.counters)
        self.kept += new > 0
        self.features += new

    def continue_from(self, outbox: Path) -> None:
        """Go on for another process: what it counted and found is ours."""
        before = json.loads((outbox / "stats.json").read_text())
        self.schedules += before["schedules"]
        self._judged += before["judged"]
        self._started -= before["seconds"]
        for path in sorted(outbox.glob("*.finding.json")):
            self.signatures.add(json.loads(path.read_text())["signature"])

    def write_stats(self) -> None:
        """Write ``stats.json``, whole or not at all."""
        if self.outbox is None:
            return
        stats = {
            "schedules": self.schedules,
            "judged": self._judged + self.portfolio.judged,
            "seconds": round(time.monotonic() - self._started, 3),
            "features": self.features,
            "findings": len(self.signatures),
            "kept": self.kept,
        }
        write_whole(self.outbox / "stats.json", json.dumps(stats))

    def _record(self, case: Case, violation: Violation) -> None:
        if self.outbox is None:
            return
        finding = finding_record(case, violation)
        name = f"{crc32(violation.signature.encode()):08x}{crc32(self.engine.encode()):08x}"
        write_whole(self.outbox / f"{name}.finding.json", json.dumps(finding, indent=1))


def finding_record(case: Case, violation: Violation) -> dict[str, object]:
    """A finding as it crosses a process boundary."""
    return {
        "format": FINDING_FORMAT,
        "engine": case.engine,
        "build": case.build,
        "oracle": violation.oracle,
        "rule": violation.rule,
        "category": str(violation.category),
        "signature": violation.signature,
        "verdict": violation.verdict,
        "case": format_case(case),
    }


def reported(finding: Mapping[str, str]) -> Violation:
    """The violation of a ``finding_record`` that came from another process."""
    category = Category(finding["category"])
    named = (finding["oracle"][:16], finding["rule"][:120], category, finding["verdict"])
    return Violation(*named, (), finding["signature"])


def killers(outbox: Path, artifacts: Path, code: int) -> list[tuple[str, bytes]]:
    """(how, input) that a target's process died of: libFuzzer's artifacts, else what was running.

    ``code`` is its exit code: one that was killed from outside died of no input.
    """
    found = [
        (how, path.read_bytes())
        for path in sorted(artifacts.iterdir())
        if (how := ARTIFACTS.get(path.name.partition("-")[0]))
        and not path.is_symlink()
        and path.stat().st_size <= ROOM
    ]
    last = left_running(outbox) if code not in (0, -signal.SIGKILL) else None
    return found if found or last is None else [("crash", last)]


def killer(how: str, target: str) -> Violation:
    """An input that ends the process that runs it: native code that failed, or our bug."""
    verdict = f"An input of {target} ends the process that runs it ({how}) instead of a verdict."
    signature = f"process/{how}/{target}"
    return Violation("process", how, Category.CORRECTNESS, verdict, (), signature)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader, or a kill in the middle, sees all of it or nothing."""
    write_whole_bytes(path, text.encode())


def write_whole_bytes(path: Path, data: bytes) -> None:
    """``write_whole`` for bytes."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)


@lru_cache(maxsize=8)
def _quiet(engine: str, target: str) -> Harness:
    return Harness(engine, target)


def features(data: bytes, engine: str, target: str) -> frozenset[int]:
    """The interleaving features of one input; the coordinator merges corpora by them."""
    harness = _quiet(engine, target)
    harness.counters[:] = bytes(COUNTERS)
    harness.one_input(data)
    return feature_set(harness.counters)
