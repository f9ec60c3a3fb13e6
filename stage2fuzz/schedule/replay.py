"""Replay: a schedule as a value, followed as far as the engine allows, then a fair end.

Replay is lenient because a reproducer must survive small changes of the engine, and because the
minimiser and the fuzzer write schedules that nobody ever executed: a run whose thread cannot go
on is skipped, a choice too high is lowered to the last alternative. Nothing of that is silent:
``diverged`` names the first run or choice that could not be followed.
"""

from stage2fuzz.schedule.base import FOREVER, Run, Schedule, View


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
                if not self.diverged:
                    self.diverged = f"run {self._at - 1}: stopped {view.left} points early"
            runs, at = self._runs, self._at
            while at < len(runs):
                run = runs[at]
                at += 1
                if run[0] in enabled and run[1] > 0:
                    self._at = at
                    return run
                if not self.diverged:
                    self.diverged = f"run {at - 1}: thread {run[0]} could not run"
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
            self.diverged = f"choice {at}: {choice} of {options}"
        return options - 1

    def unused(self) -> tuple[int, int]:
        """Runs and choices that were never asked for, once the run is over."""
        return len(self._runs) - self._at, len(self._choices) - self._chosen
