"""POS: a random priority for each pending step, drawn again whenever a race was decided.

Yuan, Yang, Gu: Partial Order Aware Concurrency Sampling, CAV 2018. PCT ties all steps of a thread
to one priority, a random walk to none; here each race is decided by its own draw, so that the
outcome of one does not settle the next. A step that is not known yet races with nothing.
"""

from random import Random

from stage2fuzz.schedule.base import Run, View
from stage2fuzz.schedule.dependence import races


class Pos:
    """Runs the enabled step of highest priority."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._priorities: list[float] = []

    def begin(self, threads: int) -> None:
        """Each thread's first step gets its priority."""
        random = self._random.random
        self._priorities = [random() for _ in range(threads)]

    def next(self, view: View) -> Run:
        """The best step; its thread's next step and all steps that race with it draw anew."""
        priorities, pending, random = self._priorities, view.pending, self._random.random
        best = max(view.enabled, key=priorities.__getitem__)
        step = pending[best]
        for thread, other in enumerate(pending):
            if thread == best or races(step, other):
                priorities[thread] = random()
        return best, 1

    def choose(self, options: int) -> int:
        """Any alternative."""
        return int(self._random.random() * options)
