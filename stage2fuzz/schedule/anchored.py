"""Anchored schedules: switches at steps that mean the same in every engine.

Two engines take a different number of points for the same work, so a schedule of points means
different interleavings to them. Here a run is a thread and how many *anchors* it may pass (taking a
lock, reading the notifier's sequence, looking a page up, a TLBI, a guest re-entry), and between
anchors nobody else runs. Engines of the same meaning pass the same anchors in the same order.
"""

from random import Random
from typing import Final

from stage2fuzz.events import BACKING, LOCK, LOCK_HYP, LOCK_MMU, LOCK_SLOTS, PIN, SEQ_READ, TLBI
from stage2fuzz.schedule.base import Run, View

ANCHORS: Final = frozenset((SEQ_READ, PIN, TLBI, BACKING))
LOCKS: Final = frozenset((LOCK_MMU, LOCK_SLOTS, LOCK_HYP))
LONGEST: Final = 4
"""Anchors one run may pass."""


class AnchoredWalk:
    """Random anchored runs from a seed; the same for every engine."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._draw = Random(seed)
        self._left = 0
        self._passed = (-1, (0, 0))

    def begin(self, threads: int) -> None:
        """Start the same sequence of runs again."""
        del threads
        self._draw = Random(self._seed)
        self._left = 0
        self._passed = (-1, (0, 0))

    def next(self, view: View) -> Run:
        """Keep the thread between anchors; at one, count it or choose anew."""
        current = view.current
        if current in view.enabled and not view.yielded:
            step = view.pending[current]
            # An engine may stand at one anchor twice: before the step and after it.
            if not is_anchor(step) or (current, step) == self._passed:
                return current, 1
            if self._left > 0:
                self._left -= 1
                self._passed = (current, step)
                return current, 1
        # One draw a decision, whatever is enabled, so that engines stay in step.
        wanted, self._left = self._draw.randrange(64), self._draw.randrange(LONGEST)
        chosen = view.enabled[wanted % len(view.enabled)]
        self._passed = (chosen, view.pending[chosen])
        return chosen, 1

    def choose(self, options: int) -> int:
        """The mildest."""
        del options
        return 0


def is_anchor(step: tuple[int, int]) -> bool:
    """Whether the step (kind, location) means the same in every engine."""
    kind, where = step
    return kind in ANCHORS or (kind == LOCK and where in LOCKS)
