"""Replay: a schedule as a value, followed as far as the engine allows, then a fair end.

Replay is lenient because a reproducer must survive small changes of the engine, and because the
minimiser and the fuzzer write schedules that nobody ever executed: a run whose thread cannot go
on is skipped, a choice too high is lowered to the last alternative. Nothing of that is silent:
``diverged`` names the first run or choice that could not be followed.
"""

from typing import Final

from stage2fuzz.schedule.base import FOREVER, Run, Schedule, View

MISMATCHES: Final = (
    "",
    "run {}: stopped {} points early",
    "run {}: thread {} could not run",
    "choice {}: {} of {}",
    "run {}: the run was over before",
    "choice {}: never asked for",
)
"""How a run leaves a schedule, in words; the C side counts them in the same order."""
_FOLLOWED, _STOPPED_EARLY, _COULD_NOT_RUN, _NO_SUCH_CHOICE, _RUN_UNUSED, _CHOICE_UNUSED = range(6)


def mismatch(how: int, *numbers: int) -> str:
    """One of ``MISMATCHES`` with its numbers: which run or choice, and what was met there."""
    return MISMATCHES[how].format(*numbers)


def next_in_turn(view: View) -> int:
    """The enabled thread after the current one in cyclic order; itself where it is alone."""
    current, enabled = view.current, view.enabled
    for thread in enabled:
        if thread > current:
            return thread
    return enabled[0]


class Replay:
    """The scheduler that follows ``schedule``.

    A yield does not end a run: the thread keeps the points it has left, since the schedule says
    how far it goes. When all runs are used up the current thread keeps going until it yields,
    blocks or ends, and then the next one in cyclic order: the fewest switches that are still fair.
    Choices beyond the last are 0, the mildest.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._runs, self._choices = schedule.runs, schedule.choices
        self._at = self._chosen = 0
        self._following = True
        self.diverged = ""
        """Empty while the schedule could be followed, else where the first mismatch was."""

    def begin(self, threads: int) -> None:
        """A run starts: follow the schedule from its first run again."""
        self._at = self._chosen = 0
        self._following = True
        self.diverged = ""

    def next(self, view: View) -> Run:
        """The rest of this run, or the next run whose thread is enabled, or the fair end."""
        enabled = view.enabled
        if self._following:
            if view.left:
                if view.yielded:
                    return view.current, view.left
                if not self.diverged and self._runs[self._at - 1][1] != FOREVER:
                    self.diverged = mismatch(_STOPPED_EARLY, self._at - 1, view.left)
            runs, at = self._runs, self._at
            while at < len(runs):
                run = runs[at]
                at += 1
                if run[0] in enabled and run[1] > 0:
                    self._at = at
                    return run
                if not self.diverged:
                    self.diverged = mismatch(_COULD_NOT_RUN, at - 1, run[0])
            self._at, self._following = at, False
        current = view.current
        if not view.yielded and current in enabled:
            return current, FOREVER
        return next_in_turn(view), FOREVER

    def choose(self, options: int) -> int:
        """The recorded choice, as far as there are so many options now."""
        at = self._chosen
        if at >= len(self._choices):
            return 0
        self._chosen = at + 1
        choice = self._choices[at]
        if choice < options:
            return choice
        if not self.diverged:
            self.diverged = mismatch(_NO_SUCH_CHOICE, at, choice, options)
        return options - 1

    def followed(self, diverged: str) -> None:
        """An engine has followed the schedule by itself, and says where it left it."""
        self._at, self._chosen = len(self._runs), len(self._choices)
        self.diverged = diverged

    def divergence(self) -> str:
        """Once the run is over: where it first left the schedule; empty if nowhere."""
        if not self.diverged and self._at < len(self._runs):
            return mismatch(_RUN_UNUSED, self._at)
        if not self.diverged and self._chosen < len(self._choices):
            return mismatch(_CHOICE_UNUSED, self._chosen)
        return self.diverged
