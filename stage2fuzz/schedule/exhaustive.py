"""Exhaustive: every schedule of a small scenario, or one for each class that differs.

Stateless depth-first search: each execution follows the path of the one before up to the deepest
place that still has an alternative. Dynamic partial-order reduction keeps one execution for each
class of those that differ only in the order of independent steps: source sets and sleep sets
(Abdulla, Aronsson, Jonsson, Sagonas: Optimal Dynamic Partial Order Reduction, POPL 2014), and for
locks the rule that two acquisitions race while a release and an acquisition do not. Rare choices
are alternatives like any other. With a preemption bound (Musuvathi, Qadeer, PLDI 2007) nothing is
reduced, since the execution kept for a class may be the one beyond the bound.

``coverage`` says what was proved and what was cut; nothing is called complete that was not.
"""

from dataclasses import dataclass
from typing import Final

from stage2fuzz.errors import ModelError
from stage2fuzz.events import LOCK, UNLOCK
from stage2fuzz.schedule.base import FOREVER, Run, View
from stage2fuzz.schedule.dependence import PendingStep, dependent
from stage2fuzz.schedule.replay import next_in_turn

MAX_EXECUTIONS: Final = 100_000
MAX_STEPS: Final = 2_000
"""Steps of one execution that are explored; what follows runs fairly and is reported as cut."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a search has proved so far."""

    executions: int
    redundant: int
    """Executions that turned out to repeat a class already seen."""
    complete: bool
    """Nothing is left within the bounds."""
    cut: str
    """What the bounds kept out: empty where ``complete`` means all there is."""

    def __str__(self) -> str:
        seen = f"{self.executions - self.redundant} executions"
        if self.redundant:
            seen += f" ({self.redundant} repeated)"
        if not self.complete:
            return f"incomplete: {seen}, cut by {self.cut}"
        return f"complete: {seen}" + (f", within {self.cut}" if self.cut else "")


class _Node:
    """One step of the path: what could be done there, what is done, and what was."""

    __slots__ = (
        "backtrack", "choices", "clock", "current", "enabled", "last", "pending", "points",
        "sleep", "spent", "thread", "wake", "yielded",
    )  # fmt: skip

    def __init__(self, view: View) -> None:
        self.enabled, self.pending = view.enabled, tuple(view.pending)
        self.current, self.yielded = view.current, view.yielded
        self.thread = self.backtrack = self.sleep = self.spent = 0
        self.points = 1
        self.choices: list[tuple[int, int]] = []
        self.clock: list[int] = []
        self.last: list[int] = []
        self.wake: list[int] = []

    @property
    def step(self) -> PendingStep:
        return self.pending[self.thread]

    def preempts(self, thread: int) -> int:
        """1 where choosing ``thread`` here takes the turn from one that could go on."""
        return int(thread != self.current and not self.yielded and self.current in self.enabled)


class Exhaustive:
    """A scheduler for one run after the other: ``while search.advance(): run(..., search)``.

    ``reduce`` asks for one execution a class; ``preemptions`` bounds them and switches the
    reduction off. The program must be the same each time; a difference is a ModelError.
    """

    def __init__(
        self,
        reduce: bool = True,
        preemptions: int | None = None,
        max_executions: int = MAX_EXECUTIONS,
        max_steps: int = MAX_STEPS,
    ) -> None:
        self._bound = FOREVER if preemptions is None else preemptions
        self._reduce = reduce and preemptions is None
        self._max_executions, self._max_steps = max_executions, max_steps
        self._path: list[_Node] = []
        self._script: list[Run] = []
        self._replayed: list[int] = []
        self._fresh = self._depth = 0
        self._free = False
        self._view: View | None = None
        self._executions = self._redundant = 0
        self._complete = self._bounded = self._deep = False

    def advance(self) -> bool:
        """Prepare the next execution; False when nothing is left or the limit is reached."""
        if self._complete:
            return False
        if self._executions:
            self._finish()
            if not self._backtrack():
                self._complete = True
                return False
            if self._executions >= self._max_executions:
                return False
        self._executions += 1
        return True

    @property
    def deep(self) -> bool:
        """Whether some execution went beyond the limit of steps."""
        return self._deep

    @property
    def coverage(self) -> Coverage:
        """What was proved; meaningful once ``advance`` has returned False."""
        cuts = []
        if not self._complete:
            cuts.append(f"{self._max_executions} executions")
        if self._bounded:
            cuts.append(f"{self._bound} preemptions")
        if self._deep:
            cuts.append(f"{self._max_steps} steps")
        return Coverage(self._executions, self._redundant, self._complete, " and ".join(cuts))

    def begin(self, threads: int) -> None:
        """Start over, along the path up to the new alternative."""
        self._script, self._replayed = [], []
        for node in self._path[: self._fresh]:
            self._replayed += [chosen for _, chosen in node.choices]
            script = self._script
            if node.points and script and script[-1][0] == node.thread and script[-1][1]:
                script[-1] = (node.thread, script[-1][1] + 1)
            else:
                script.append((node.thread, node.points))
        self._script.reverse()
        self._replayed.reverse()
        self._depth, self._free = self._fresh, False

    def next(self, view: View) -> Run:
        """One step of the path, or beyond it the first alternative of a new place."""
        if self._script or (view.yielded and view.left and not self._free):
            if view.yielded and view.left:
                return view.current, view.left
            thread, points = self._script.pop()
            self._check(thread, view)
            return thread, points or 1
        self._view = view
        if self._free:
            return self._onward(view)
        depth, path = self._depth, self._path
        if depth:
            path[depth - 1].points = 1 - min(view.left, 1)
        self._depth = depth + 1
        if depth < len(path):
            self._check(path[depth].thread, view)
        elif not self._extend(view):
            self._free = True
            return self._onward(view)
        self._execute(depth)
        return path[depth].thread, 1

    def choose(self, options: int) -> int:
        """The alternative of the path, or beyond it the first."""
        if self._replayed:
            return self._replayed.pop()
        if not self._free:
            self._path[self._depth - 1].choices.append((options, 0))
        return 0

    @staticmethod
    def _check(thread: int, view: View) -> None:
        if thread not in view.enabled:
            raise ModelError(f"the program is not deterministic: thread {thread} cannot run")

    @staticmethod
    def _onward(view: View) -> Run:
        stay = not view.yielded and view.current in view.enabled
        return (view.current if stay else next_in_turn(view)), FOREVER

    def _extend(self, view: View) -> bool:
        """Add the place the run has come to; False where it need not be explored."""
        path = self._path
        if len(path) >= self._max_steps:
            self._deep = True
            return False
        node = _Node(view)
        threads = len(view.pending)
        if path:
            self._inherit(node, path[-1], len(path) - 1)
        else:
            node.last, node.wake = [-1] * threads, [-1] * threads
        allowed = [t for t in view.enabled if node.spent + node.preempts(t) <= self._bound]
        self._bounded = self._bounded or len(allowed) < len(view.enabled)
        awake = [t for t in allowed if not node.sleep >> t & 1]
        if not awake:
            self._redundant += 1
            return False
        stay = view.current in awake and not view.yielded
        later = [t for t in awake if t > view.current]
        node.thread = view.current if stay else (later or awake)[0]
        node.backtrack = 1 << node.thread if self._reduce else sum(1 << t for t in allowed)
        path.append(node)
        return True

    def _inherit(self, node: _Node, before: _Node, index: int) -> None:
        """What the step before means for the new place: order, preemptions, who sleeps on."""
        thread = before.thread
        node.spent = before.spent + before.preempts(thread)
        node.last, node.wake = list(before.last), list(before.wake)
        node.last[thread], node.wake[thread] = index, -1
        for other in node.enabled:
            if other != thread and other not in before.enabled:
                node.wake[other] = index
        if self._reduce:
            step = before.step
            for other in before.enabled:
                if before.sleep >> other & 1 and not dependent(before.pending[other], step):
                    node.sleep |= 1 << other

    def _execute(self, depth: int) -> None:
        """Order the step after what it depends on, and note the races it could have won."""
        if not self._reduce:
            return
        node = self._path[depth]
        node.clock = self._order(depth, node.thread, node.step)
        node.clock[node.thread] = depth

    def _order(self, depth: int, thread: int, step: PendingStep) -> list[int]:
        """The clock of ``thread`` at ``step``; each reversible race asks for the other order."""
        path = self._path
        place = path[depth] if depth < len(path) else None
        last = place.last if place else self._last_of_all()
        clock = list(path[last[thread]].clock) if last[thread] >= 0 else [-1] * len(last)
        reversible: list[int] = []
        if step[0] == LOCK:
            reversible += self._lost_lock(depth, thread, step, clock)
        if place and place.wake[thread] >= 0:
            _join(clock, path[place.wake[thread]].clock)
        for index in range(depth - 1, -1, -1):
            earlier = path[index]
            if clock[earlier.thread] >= index or not dependent(earlier.step, step):
                continue
            _join(clock, earlier.clock)
            released = step[0] == LOCK and earlier.step[0] in (LOCK, UNLOCK)
            could_go = index < last[thread] or thread in earlier.enabled
            if could_go and not released:
                reversible.append(index)
        for index in reversible:
            self._reverse(index, depth, thread, clock)
        return clock

    def _lost_lock(self, depth: int, thread: int, step: PendingStep, clock: list[int]) -> list[int]:
        """The last acquisition by another thread, unless the taker was ordered after it anyway."""
        for index in range(depth - 1, -1, -1):
            node = self._path[index]
            if node.step == step and node.thread != thread:
                return [index] if clock[node.thread] < index else []
        return []

    def _reverse(self, index: int, depth: int, thread: int, clock: list[int]) -> None:
        """At ``index``, let some thread go that leads to the step at ``depth`` without it."""
        path, winner = self._path, self._path[index].thread
        seen: list[tuple[int, int]] = []
        initials = 0
        for later in range(index + 1, depth + 1):
            runner = path[later].thread if later < depth else thread
            order = path[later].clock if later < depth else clock
            if later < depth and order[winner] >= index:
                continue
            if not any(order[other] >= at for other, at in seen):
                initials |= 1 << runner
            seen.append((runner, later))
        node = path[index]
        if initials & node.backtrack:
            return
        able = [t for t in node.enabled if initials >> t & 1]
        if able:
            node.backtrack |= 1 << (thread if thread in able else able[0])

    def _last_of_all(self) -> list[int]:
        final = self._path[-1]
        last = list(final.last)
        last[final.thread] = len(self._path) - 1
        return last

    def _finish(self) -> None:
        """The run is over: a thread that still waits for a lock lost a race as well."""
        view = self._view
        if not self._reduce or self._free or view is None:
            return
        for thread, step in enumerate(view.pending):
            if step[0] == LOCK:
                self._order(len(self._path), thread, step)

    def _backtrack(self) -> bool:
        """Change the deepest place that has an alternative; False where none has."""
        path = self._path
        while path:
            node = path[-1]
            while node.choices:
                options, chosen = node.choices.pop()
                if chosen + 1 < options:
                    node.choices.append((options, chosen + 1))
                    self._fresh = len(path)
                    return True
            node.sleep |= 1 << node.thread
            for thread in node.enabled:
                if node.backtrack & ~node.sleep & 1 << thread:
                    node.thread, node.points = thread, 1
                    self._fresh = len(path) - 1
                    return True
            path.pop()
        return False


def _join(clock: list[int], other: list[int]) -> None:
    for thread, index in enumerate(other):
        clock[thread] = max(clock[thread], index)
