"""PCT: random priorities with few random changes, and a bound on missing a bug.

Burckhardt, Kothari, Musuvathi, Nagarakatte: A Randomized Scheduler with Probabilistic Guarantees
of Finding Bugs, ASPLOS 2010. With n threads, k steps and depth d a run shows a bug of depth d with
probability at least 1/(n * k^(d-1)): the number in the report is a promise.

The i-th change point, in the order drawn and not in the order of time, gives the running thread
the fixed priority i. Tools that push each demoted thread to the very bottom instead make whole
classes of orders impossible from d = 3 on (``tests/schedule`` has such a program).

Departures: a thread that yields without progress goes below everyone, since a spinner of high
priority would starve the rest for ever; where k is not given it is the longest run so far.
"""

from random import Random
from typing import Final

from stage2fuzz.schedule.base import FOREVER, Run, View
from stage2fuzz.schedule.dependence import blocked

FIRST_GUESS: Final = 64
"""Steps assumed before a run was seen."""
MEASURE: Final = 16
"""Points granted at most while k is measured; k is at most so much too high."""


class Pct:
    """``depth`` is d, ``steps`` is k (0: measured from the runs before)."""

    def __init__(self, seed: int, depth: int = 3, steps: int = 0) -> None:
        self._random = Random(seed)
        self._depth, self._steps = depth, steps
        self._longest = 0
        self._priorities: list[int] = []
        self._changes: list[tuple[int, int]] = []
        self._taken = self._granted = self._lowest = 0

    def begin(self, threads: int) -> None:
        """Draw the priorities d .. d+n-1 and the d-1 change points of 1 .. k."""
        random, depth = self._random, self._depth
        steps = self._steps or (self._longest + MEASURE if self._longest else FIRST_GUESS)
        self._priorities = random.sample(range(depth, depth + threads), threads)
        points = random.sample(range(1, steps + 1), min(depth - 1, steps))
        changes = [(at, priority) for priority, at in enumerate(points, 1)]
        self._changes = sorted(changes, reverse=True)
        self._taken = self._granted = self._lowest = 0

    def next(self, view: View) -> Run:
        """The enabled thread of highest priority, up to the next change point."""
        self._taken += self._granted - view.left
        self._longest = max(self._longest, self._taken)
        priorities, changes = self._priorities, self._changes
        if view.yielded:
            self._lowest -= 1
            priorities[view.current] = self._lowest
        best = max(view.enabled, key=priorities.__getitem__)
        if changes and changes[-1][0] <= self._taken + 1:
            priorities[best] = changes.pop()[1]
            best = max(view.enabled, key=priorities.__getitem__)
        self._granted = self._grant(view, best)
        return best, self._granted

    def _grant(self, view: View, best: int) -> int:
        """Points until something can change: a change point, or a better thread unblocked."""
        priorities = self._priorities
        for thread, priority in enumerate(priorities):
            if priority > priorities[best] and blocked(view, thread):
                return 1
        limit = FOREVER if self._steps else MEASURE
        return min(limit, self._changes[-1][0] - self._taken - 1) if self._changes else limit

    def choose(self, options: int) -> int:
        """Any alternative; a choice of data is no step and uses up no change point."""
        return int(self._random.random() * options)
