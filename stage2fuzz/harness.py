"""One fuzz input: decode, run, judge, record a new signature. Knows no Atheris and no database.

Every byte string is a case. What is run of it is the portfolio's matter; what is recorded is the
schedule that was executed, so a finding replays the same whichever way it came.
"""

import json
import os
import time
from functools import lru_cache
from pathlib import Path
from typing import Final
from zlib import crc32

from stage2fuzz.case import Case
from stage2fuzz.casetext import format_case
from stage2fuzz.codec import decode
from stage2fuzz.features import COUNTERS, feature_set
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.portfolio import portfolio_of
from stage2fuzz.profile import profile_named
from stage2fuzz.run import Outcome

STATS_EVERY: Final = 0.5
"""Seconds between two writes of ``stats.json``."""
FINDING_FORMAT: Final = 1


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
        self.schedules = 0
        self.kept = 0
        self.features = 0
        self._started = self._written = time.monotonic()
        if outbox is not None:
            outbox.mkdir(parents=True, exist_ok=True)

    def one_input(self, data: bytes) -> list[Outcome]:
        """Run one input; new signatures go to the outbox. What was judged comes back."""
        case = decode(data, self.engine, self.profile)
        schedules, outcomes = self.portfolio.run(case, crc32(data), self.counters)
        for outcome in outcomes:
            for violation in outcome.violations:
                if violation.signature not in self.signatures:
                    self.signatures.add(violation.signature)
                    self._record(outcome.case, violation)
        self.schedules += schedules
        now = time.monotonic()
        if self.outbox is not None and now - self._written > STATS_EVERY:
            self._written = now
            self.write_stats()
        return outcomes

    def note_features(self) -> None:
        """Count the last input if it showed features that none showed before."""
        new = self.portfolio.new_features(self.counters)
        self.kept += new > 0
        self.features += new

    def write_stats(self) -> None:
        """Write ``stats.json``, whole or not at all."""
        if self.outbox is None:
            return
        stats = {
            "schedules": self.schedules,
            "judged": self.portfolio.judged,
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
