"""Which features a fuzzing process has seen, where its session can read them and form the union.

One byte a counter, one bit a bucket of its count. A mapped file costs nothing while nothing new is
seen, and survives its process.
"""

import mmap
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from stage2fuzz.fuzz.features import COUNTERS

NAME: Final = "features"
"""Of the file in the outbox."""


class FeatureMap:
    """The file of one process; one that goes on for another keeps what is there."""

    def __init__(self, outbox: Path) -> None:
        place = os.open(outbox / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(place, COUNTERS)
        self._map = mmap.mmap(place, COUNTERS)
        os.close(place)

    def add(self, features: Iterable[int]) -> list[int]:
        """Note features as ``feature_set`` numbers them; those that were not noted before."""
        fresh = [each for each in features if not self._map[each >> 3] >> (each & 7) & 1]
        for feature in fresh:
            self._map[feature >> 3] |= 1 << (feature & 7)
        return fresh
