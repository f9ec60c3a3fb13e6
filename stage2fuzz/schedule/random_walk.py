"""Random walk: each enabled thread equally likely at each point. What all others must beat.

It is not uniform over interleavings: of the 70 of four and four steps the likeliest comes up 8.7
times as often as the rarest, and an order that needs one thread to run long alone hardly ever.
"""

from random import Random

from stage2fuzz.schedule.base import Run, View


class RandomWalk:
    """Uniform among the enabled threads, uniform among the alternatives of a choice."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def begin(self, threads: int) -> None:
        """A run starts; the random stream goes on, so that each run differs."""

    def next(self, view: View) -> Run:
        """One point of any enabled thread."""
        enabled = view.enabled
        return enabled[int(self._random.random() * len(enabled))], 1

    def choose(self, options: int) -> int:
        """Any alternative."""
        return int(self._random.random() * options)
