"""Our own greybox loop, on the same features and mutations as the Atheris targets.

It fuzzes where Atheris has no wheel (arm64, macOS), and it is the control that shows what
libFuzzer adds. Rarely seen features choose what is mutated (rarity as in RFF, ASPLOS 2024).
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from zlib import crc32

from stage2fuzz.case.codec import change_body
from stage2fuzz.fuzz.features import COUNTERS, feature_set
from stage2fuzz.fuzz.harness import Harness
from stage2fuzz.fuzz.mutate import Lcg, cross, mutate
from stage2fuzz.fuzz.outbox import write_whole_bytes

MAX_SIZE: Final = 512
"""Bytes of an input."""
CANDIDATES: Final = 4
"""Corpus entries that compete to be mutated; the one with the rarest feature wins."""


class Greybox:
    """A corpus in memory, and in ``folder`` where one is given."""

    def __init__(self, harness: Harness, seed: int, folder: Path | None = None) -> None:
        self.harness = harness
        self.draw = Lcg(seed)
        self.folder = folder
        self.corpus: list[tuple[bytes, tuple[int, ...]]] = []
        self.seen: dict[int, int] = {}

    def fuzz(self, seeds: Iterable[bytes], seconds: float, runs: int = 0) -> None:
        """Run the seeds, then mutations, until the time or the number of inputs is used up."""
        end = time.monotonic() + seconds if seconds else float("inf")
        done = 0
        for data in (b"", *seeds):
            self.try_input(data)
            done += 1
        while time.monotonic() < end and (not runs or done < runs):
            self.try_input(self._next())
            done += 1
        self.harness.write_stats()

    def try_input(self, data: bytes) -> bool:
        """Run one input; keep it if it shows a feature that none showed before."""
        counters = self.harness.counters
        counters[:] = bytes(COUNTERS)
        self.harness.one_input(data)
        self.harness.note_features(data)
        found = sorted(feature_set(counters))
        seen = self.seen
        fresh = tuple(feature for feature in found if feature not in seen)
        for feature in found:
            seen[feature] = seen.get(feature, 0) + 1
        if not fresh:
            return False
        self.corpus.append((data, fresh))
        if self.folder is not None:
            write_whole_bytes(self.folder / f"{crc32(data):08x}{len(data):04x}", data)
        return True

    def _next(self) -> bytes:
        draw, corpus, harness = self.draw, self.corpus, self.harness
        rarest = min(
            (corpus[draw.below(len(corpus))] for _ in range(CANDIDATES)),
            key=lambda entry: min(self.seen[feature] for feature in entry[1]),
        )[0]
        seed = draw.below(1 << 31)
        if draw.below(8) == 0:
            other = corpus[draw.below(len(corpus))][0]
            return cross(rarest, other, harness.engine, harness.profile, seed, MAX_SIZE)
        if draw.below(4) == 0:
            return change_body(rarest, lambda body: flip(body, draw))[:MAX_SIZE]
        return mutate(rarest, harness.engine, harness.profile, seed, MAX_SIZE)


def flip(data: bytes, draw: Lcg) -> bytes:
    """Change one to four bytes, or append some: what libFuzzer's own mutators mostly do."""
    changed = bytearray(data.ljust(1 + draw.below(192), b"\0"))
    for _ in range(1 + draw.below(4)):
        changed[draw.below(len(changed))] = draw.below(256)
    if draw.below(4) == 0:
        changed += bytes(draw.below(256) for _ in range(1 + draw.below(8)))
    return bytes(changed[:MAX_SIZE])
