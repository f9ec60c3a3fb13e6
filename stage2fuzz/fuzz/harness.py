"""One fuzz input: decode, run, judge, record a new signature. Knows no Atheris and no database.

Every byte string is a case. What is run of it is the portfolio's matter; what is recorded is the
schedule that was executed, so a finding replays the same whichever way it came.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final
from zlib import crc32

from stage2fuzz.case.codec import decode
from stage2fuzz.case.granule import fitted
from stage2fuzz.case.profile import profile_named
from stage2fuzz.engine import kind_of
from stage2fuzz.events import CRASH
from stage2fuzz.fuzz.current_input import CurrentInput
from stage2fuzz.fuzz.feature_map import FeatureMap
from stage2fuzz.fuzz.features import COUNTERS, feature_set
from stage2fuzz.fuzz.outbox import (
    Statistics,
    claim,
    read_statistics,
    reported_signatures,
    write_finding,
    write_statistics,
)
from stage2fuzz.fuzz.portfolio import portfolio_of
from stage2fuzz.run import Outcome

STATS_EVERY: Final = 0.5
"""Seconds between two writes of ``stats.json``."""


class Harness:
    """The state of one fuzzing process: counters, signatures seen, where findings go."""

    def __init__(
        self, engine: str, target: str, outbox: Path | None = None, judging: bool = True
    ) -> None:
        """``outbox`` is the folder for findings and statistics; InputError for a bad name."""
        self.engine, self.target, self.outbox = engine, target, outbox
        self.profile = profile_named(target)
        self.granule = kind_of(engine).granule
        self.counters = bytearray(COUNTERS)
        """Filled by each input; whoever feeds back clears it (libFuzzer does so itself)."""
        self.portfolio = portfolio_of(engine, judging)
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
        self._running: CurrentInput | None = None
        self._seen: FeatureMap | None = None
        if outbox is not None:
            outbox.mkdir(parents=True, exist_ok=True)
            self._running = CurrentInput(outbox)
            self._seen = FeatureMap(outbox)

    def one_input(self, data: bytes) -> list[Outcome]:
        """Run one input; new signatures go to the outbox. What was judged comes back.

        In place of a shunned input the empty one is run.
        """
        if self.shunned and sha256(data).hexdigest() in self.shunned:
            data = b""
        if self._running is not None:
            self._running.begin(data)
        case = decode(data, self.engine, self.profile)
        scenario = fitted(case.scenario, self.granule)
        if scenario is not case.scenario:
            case = replace(case, scenario=scenario)
        schedules, outcomes = self.portfolio.run(case, crc32(data), self.counters)
        for outcome in outcomes:
            for violation in outcome.violations:
                if violation.signature not in self.signatures:
                    self.signatures.add(violation.signature)
                    if self.outbox is not None:
                        write_finding(self.outbox, outcome.case, violation)
        if self._running is not None:
            self._running.end()
        self.inputs += 1
        self.schedules += schedules
        now = time.monotonic()
        if self.outbox is not None and now - self._written > STATS_EVERY:
            self._written = now
            self.write_stats()
        if any(outcome.events[-1][0] == CRASH for outcome in outcomes):
            self.after_crash(data)
        return outcomes

    def note_features(self, data: bytes) -> None:
        """Count ``data``, the last input, if it showed features that none showed before."""
        new = self.portfolio.new_features(self.counters)
        self.kept += new > 0
        self.features += new
        if new and self.outbox is not None and self._seen is not None:
            shown = feature_set(self.counters)
            fresh = self._seen.add(shown)
            if fresh:
                claim(self.outbox, data, fresh)

    def continue_from(self, outbox: Path) -> None:
        """Go on for another process: what it counted and found is ours."""
        before = read_statistics(outbox)
        self.schedules += before.schedules
        self._judged += before.judged
        self._started -= before.seconds
        self.signatures |= reported_signatures(outbox)

    def write_stats(self) -> None:
        """Write the statistics, whole or not at all."""
        if self.outbox is None:
            return
        seconds = round(time.monotonic() - self._started, 3)
        judged = self._judged + self.portfolio.judged
        found = len(self.signatures)
        write_statistics(
            self.outbox,
            Statistics(self.schedules, judged, seconds, self.features, found, self.kept),
        )


@lru_cache(maxsize=8)
def _quiet(engine: str, target: str, judging: bool) -> Harness:
    return Harness(engine, target, judging=judging)


def features(data: bytes, engine: str, target: str, judging: bool = False) -> frozenset[int]:
    """The interleaving features of one input; the coordinator merges corpora by them.

    The process that found the input has judged it: that is done again only where the question is
    whether an input ends the process that runs it.
    """
    harness = _quiet(engine, target, judging)
    harness.counters[:] = bytes(COUNTERS)
    harness.one_input(data)
    return feature_set(harness.counters)
