"""Breaker: the adversary that lets others in while an entry is broken.

Between the invalid store of a break-before-make and the new entry every walk faults. This strategy
stops a thread there, just before its TLBI, and runs the others until they block on the lock or
yield; it hands over again when a waiter wakes and when a vCPU re-enters the guest. Two vCPUs that
undo one another's mapping then do so in every round, where a random walk leaves such a cycle at
the next turn: this is the strategy for stalls, and it is blind to orders that need patience.
Our own; the idea is the noise makers' (a delay where it hurts), with the place known.
"""

from random import Random
from typing import Final

from stage2fuzz.events import DSB, TLBI
from stage2fuzz.schedule.base import FOREVER, Run, View

ZEAL: Final = 0.9
"""Probability of handing over at a place that hurts; the rest keeps other orders possible."""
DRIFT: Final = 0.02
"""Probability of switching at any other point."""


class Breaker:
    """Hands over at a TLBI or barrier, at a waking waiter and at a yield; else stays."""

    def __init__(self, seed: int, zeal: float = ZEAL, drift: float = DRIFT) -> None:
        self._random = Random(seed)
        self._zeal, self._drift = zeal, drift
        self._enabled: tuple[int, ...] = ()
        self._intruders: list[int] = []

    def begin(self, threads: int) -> None:
        """A run starts with nobody inside a broken window."""
        self._enabled = tuple(range(threads))
        self._intruders = []

    def next(self, view: View) -> Run:
        """An intruder while there is one left, else hand over or stay."""
        enabled, before, current = view.enabled, self._enabled, view.current
        self._enabled = enabled
        while self._intruders:
            thread = self._intruders.pop()
            if thread in enabled and thread != current:
                return thread, FOREVER
        others = [thread for thread in enabled if thread != current]
        if not others:
            return current, 1
        draw = self._random.random()
        if current not in enabled:
            return self._any(others), 1
        if view.yielded:
            return (self._any(others) if draw < self._zeal else current), 1
        woken = [thread for thread in others if thread not in before]
        if woken:
            return (self._any(woken) if draw < self._zeal else current), 1
        if view.pending[current][0] in (TLBI, DSB):
            if draw < self._zeal:
                self._random.shuffle(others)
                self._intruders = [*others[1:]]
                return others[0], FOREVER
        elif draw < self._drift:
            return self._any(others), 1
        return current, 1

    def _any(self, threads: list[int]) -> int:
        return threads[int(self._random.random() * len(threads))]

    def choose(self, options: int) -> int:
        """The mildest half of the time, else any: stale translations hurt too."""
        draw = self._random.random() * 2
        return int(draw * options) if draw < 1 else 0
