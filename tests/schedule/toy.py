"""A toy engine: threads are generators that announce each step before they take it.

It keeps the contract of the real one (points, blocks, yields, views) on programs of a few lines,
so that a strategy can be measured against exact probabilities and counts.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from stage2fuzz.events import LOCK, UNLOCK
from stage2fuzz.schedule.base import Run, Schedule, Scheduler, View
from stage2fuzz.schedule.dependence import ENDED

YIELD = (-1, 0)
"""Announced instead of a step: the thread re-enters the guest."""

Thread = Generator[tuple[int, int], None, None]


class World:
    """What the threads of one run share."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.memory: dict[int, int] = {}
        self.trace: list[Any] = []
        self.bug = False
        self.choices: list[int] = []
        self._scheduler = scheduler

    def choose(self, options: int) -> int:
        """One of ``range(options)``, by the scheduler."""
        chosen = self._scheduler.choose(options) if options > 1 else 0
        if options > 1:
            assert 0 <= chosen < options
            self.choices.append(chosen)
        return chosen


Program = Callable[[World], list[Thread]]


@dataclass
class Result:
    """What one run came to."""

    bug: bool
    deadlock: bool
    steps: tuple[tuple[int, int, int], ...]
    """(thread, kind, location) of each step taken."""
    schedule: Schedule
    preemptions: int
    memory: dict[int, int]
    trace: list[Any] = field(default_factory=list)


class Toy:
    """One run of ``program`` under ``scheduler``."""

    def __init__(self, program: Program, scheduler: Scheduler, limit: int = 5_000) -> None:
        self.world = World(scheduler)
        self.threads = program(self.world)
        self.scheduler, self.limit = scheduler, limit
        self.view = View(len(self.threads))
        self.holder: dict[int, int] = {}
        self.steps: list[tuple[int, int, int]] = []
        self.runs: list[Run] = []
        self.preemptions = 0
        self.at_yield = [False] * len(self.threads)

    def run(self) -> Result:
        """Until every thread has ended, none can go on, or the limit."""
        view, threads = self.view, self.threads
        self.scheduler.begin(len(threads))
        for thread in range(len(threads)):
            self._announce(thread)
        granted = left = 0
        while True:
            view.enabled = tuple(t for t in range(len(threads)) if self._ready(t))
            if not view.enabled or len(self.steps) > self.limit:
                break
            view.left = left
            thread, granted = self.scheduler.next(view)
            assert thread in view.enabled
            assert granted > 0
            before = view.current
            if thread != before and before in view.enabled and not view.yielded:
                self.preemptions += 1
            view.current, view.yielded = thread, False
            left = min(self._go(thread, granted), granted - 1)
            self._record(thread, granted - left)
        stuck = any(step != ENDED for step in view.pending)
        return Result(
            self.world.bug,
            stuck and len(self.steps) <= self.limit,
            tuple(self.steps),
            Schedule(tuple(self.runs), tuple(self.world.choices)),
            self.preemptions,
            self.world.memory,
            self.world.trace,
        )

    def _go(self, thread: int, left: int) -> int:
        view = self.view
        while left and self._ready(thread):
            if self.at_yield[thread]:
                self.at_yield[thread] = False
                self._announce(thread)
                if self.at_yield[thread]:
                    view.yielded = True
                    return left
                continue
            kind, where = view.pending[thread]
            if kind == LOCK:
                self.holder[where] = thread
            elif kind == UNLOCK:
                del self.holder[where]
            self.steps.append((thread, kind, where))
            left -= 1
            self._announce(thread)
            if self.at_yield[thread]:
                view.yielded = True
                return left
        return left

    def _announce(self, thread: int) -> None:
        step = next(self.threads[thread], ENDED)
        self.at_yield[thread] = step == YIELD
        self.view.pending[thread] = (0, 0) if step == YIELD else step

    def _ready(self, thread: int) -> bool:
        kind, where = self.view.pending[thread]
        return (kind, where) != ENDED and not (kind == LOCK and where in self.holder)

    def _record(self, thread: int, done: int) -> None:
        if done and self.runs and self.runs[-1][0] == thread:
            self.runs[-1] = (thread, self.runs[-1][1] + done)
        elif done:
            self.runs.append((thread, done))


def run(program: Program, scheduler: Scheduler) -> Result:
    return Toy(program, scheduler).run()
