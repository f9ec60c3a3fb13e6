"""SURW: sample the orders of the interesting steps uniformly, whatever lies between them.

Zhao, Wolff, Mathur, Roychoudhury: Selectively Uniform Concurrency Testing, ASPLOS 2025. A thread
is meant to go next with a probability proportional to the interesting steps it has left; others
are held at their interesting steps until it has gone. With exact counts and nothing blocking,
every order of the interesting steps is equally likely, and fifty steps of noise change nothing.

The counts are the highest of all runs before (a run cut short by a deadlock would otherwise teach
the next one to be cut short); the first run of all is a plain random walk. A thread that is
meant to go but blocks would stop everyone: then all are released and a new one is meant, which
keeps every order possible and costs uniformity.
"""

from random import Random
from typing import Final

from stage2fuzz.errors import InputError
from stage2fuzz.schedule.base import Run, View
from stage2fuzz.schedule.dependence import PendingStep, changes, shared_location

ONE: Final = "one"
"""One contended entry or lock for each run, those chosen least often first."""
SHARED: Final = "shared"
"""All entries and locks that two threads touch and one changes."""
EVERYTHING: Final = "everything"
"""Each step: this is URW, uniform over all interleavings."""


class Surw:
    """``interesting`` is one of the three names, or ``locations`` and ``counts`` say it exactly.

    ``locations`` are as ``dependence.shared_location`` gives them; ``counts`` is the number of
    interesting steps of each thread. Given both, nothing is measured.
    """

    def __init__(
        self,
        seed: int,
        interesting: str = ONE,
        locations: tuple[int, ...] = (),
        counts: tuple[int, ...] = (),
    ) -> None:
        if interesting not in (ONE, SHARED, EVERYTHING):
            right = f"known are {ONE}, {SHARED}, {EVERYTHING}"
            raise InputError("surw", f"interesting steps {interesting!r} are unknown", right)
        self._random = Random(seed)
        self._interesting, self._locations, self._counts = interesting, locations, counts
        self._everything = interesting == EVERYTHING and not locations
        self._seen: list[dict[int, int]] = []
        self._most: list[dict[int, int]] = []
        self._longest: list[int] = []
        self._changed: dict[int, bool] = {}
        self._used: dict[int, int] = {}
        self._left: list[int] = []
        self._selected: tuple[int, ...] = ()
        self._meant, self._held = -1, 0

    def begin(self, threads: int) -> None:
        """Select what is interesting and count it, by the runs before."""
        self._learn(threads)
        self._selected = self._locations or self._select()
        if self._counts:
            self._left = [*self._counts, *[0] * (threads - len(self._counts))]
        elif self._everything:
            self._left = list(self._longest)
        else:
            self._left = [sum(most.get(at, 0) for at in self._selected) for most in self._most]
        self._left += [0] * (threads - len(self._left))
        self._meant, self._held = self._draw(range(threads)), 0

    def _learn(self, threads: int) -> None:
        """Fold the run before into the counts, and forget it."""
        for _ in range(len(self._most), threads):
            self._most.append({})
            self._longest.append(0)
        for most, seen in zip(self._most, self._seen, strict=False):
            for location, count in seen.items():
                most[location] = max(most.get(location, 0), count)
        for thread, seen in enumerate(self._seen):
            self._longest[thread] = max(self._longest[thread], sum(seen.values()))
        self._seen = [{} for _ in range(threads)]

    def _select(self) -> tuple[int, ...]:
        if self._interesting == EVERYTHING:
            return ()
        threads_of: dict[int, int] = {}
        for most in self._most:
            for location in most:
                threads_of[location] = threads_of.get(location, 0) + 1
        contended = sorted(
            at for at, n in threads_of.items() if at != -1 and n > 1 and self._changed.get(at)
        )
        if self._interesting == SHARED or not contended:
            return tuple(contended)
        fewest = min(self._used.get(at, 0) for at in contended)
        rarest = [at for at in contended if self._used.get(at, 0) == fewest]
        chosen = rarest[int(self._random.random() * len(rarest))]
        self._used[chosen] = fewest + 1
        return (chosen,)

    def _draw(self, threads: range | list[int]) -> int:
        """One of ``threads``, by its interesting steps left; -1 where none has any."""
        left = self._left
        at = self._random.random() * sum(left[thread] for thread in threads)
        for thread in threads:
            at -= left[thread]
            if at < 0:
                return thread
        return -1

    def _is_interesting(self, step: PendingStep) -> bool:
        return self._everything or shared_location(step) in self._selected

    def next(self, view: View) -> Run:
        """Any thread, but no interesting step of one that is not meant to go."""
        pending, random = view.pending, self._random.random
        free = [thread for thread in view.enabled if not self._held >> thread & 1]
        while True:
            if not free:
                self._release(view)
                free = [self._meant]
            thread = free[int(random() * len(free))]
            if not self._is_interesting(pending[thread]):
                break
            if thread == self._meant or self._meant < 0:
                self._take(thread)
                break
            self._held |= 1 << thread
            free.remove(thread)
        self._note(thread, pending[thread])
        return thread, 1

    def _release(self, view: View) -> None:
        """The thread that is meant cannot go: mean one that can."""
        enabled = list(view.enabled)
        drawn = self._draw(enabled)
        self._meant = drawn if drawn >= 0 else enabled[int(self._random.random() * len(enabled))]
        self._held = 0

    def _take(self, thread: int) -> None:
        self._left[thread] = max(0, self._left[thread] - 1)
        self._meant, self._held = self._draw(range(len(self._left))), 0

    def _note(self, thread: int, step: PendingStep) -> None:
        location = shared_location(step)
        seen = self._seen[thread]
        seen[location] = seen.get(location, 0) + 1
        if changes(step):
            self._changed[location] = True

    def choose(self, options: int) -> int:
        """Any alternative."""
        return int(self._random.random() * options)
