"""Threads of one run: pooled greenlets, scheduling points, blocking.

vCPUs and host threads run plain functions that look like the kernel's own code. Greenlets are
pooled because creating one costs as much as twenty switches, and a point mostly just counts down
because asking the scheduler costs as much as ten points (the scheduler says how many points a
thread may pass). The switch point stands *before* the shared access it announces.
"""

from collections.abc import Callable, Sequence
from typing import Final

from greenlet import getcurrent, greenlet

from stage2fuzz.case.scenario import MAX_STEPS
from stage2fuzz.errors import ModelError
from stage2fuzz.events import (
    DEADLOCK,
    LIMIT,
    LIMIT_STEPS,
    LOCK,
    THREAD_END,
    UNLOCK,
    WARN,
    WARN_BUG,
    Event,
)
from stage2fuzz.schedule.base import FOREVER, Run, Scheduler, View

Body = Callable[[], None]
ENDS: Final = {LIMIT: "limit", WARN: "crash"}
"""How a run ended that its last event ended before its threads did."""


class Abandon(BaseException):
    """Unwinds a thread whose run is given up; a BaseException, so that no engine code keeps it."""


class Threads:
    """The scheduler's side of an engine; ``Memory`` and ``Vm`` add what the steps do."""

    __slots__ = (
        "_alive",
        "_begun",
        "_bodies",
        "_drains",
        "_error",
        "_granted",
        "_hub",
        "_readers",
        "_scheduler",
        "_steps",
        "_view",
        "_waiting",
        "_workers",
        "_writer",
        "choices",
        "current",
        "ended",
        "events",
        "left",
        "preemptions",
        "record",
        "runs",
    )

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.record = self.events.append
        """Appends one event; bound once, since it is what a run does most."""
        self.current = -1
        self.left = 0
        self._granted = 0
        self._hub = getcurrent()
        self._workers: list[greenlet] = []
        self._bodies: list[Body] = []
        self._begun: list[bool] = []
        self.ended: list[bool] = []
        self._alive: tuple[int, ...] = ()
        """Threads that have not ended; all of them are enabled while none waits."""
        self._waiting: dict[int, Callable[[], bool]] = {}
        """Thread -> what it waits for."""
        self._drains = 0
        self._scheduler: Scheduler
        self._view = View(0)
        self._steps = 0
        self._error: BaseException | None = None
        self.runs: list[Run] = []
        self.choices: list[int] = []
        self.preemptions = 0
        self._writer: dict[int, int] = {}
        self._readers: dict[int, int] = {}

    def choose(self, options: int) -> int:
        """One of ``range(options)``, recorded; with one option nothing is asked."""
        if options == 1:
            return 0
        chosen = self._scheduler.choose(options)
        self.choices.append(chosen)
        return chosen

    def point(self, kind: int, where: int) -> None:
        """A scheduling point before the shared step (``kind``, ``where``) of the running thread."""
        if not self.left:
            self._view.pending[self.current] = (kind, where)
            self._dispatch()
        self.left -= 1

    def yield_(self, kind: int = 0, where: int = 0) -> None:
        """The running thread re-enters the guest without progress: a free place to switch.

        Its next step is (``kind``, ``where``), as far as that is known.
        """
        view = self._view
        view.pending[self.current] = (kind, where)
        view.yielded = True
        self._dispatch()

    def wait(self, kind: int, where: int, ready: Callable[[], bool]) -> None:
        """Block the running thread until ``ready()``; it is not enabled meanwhile."""
        while not ready():
            self._waiting[self.current] = ready
            self._view.pending[self.current] = (kind, where)
            self._dispatch()
        self._waiting.pop(self.current, None)

    def lock(self, name: int, shared: int = 0) -> None:
        """Take a lock, exclusive or shared; a blocked taker is disabled, it does not spin.

        Whoever is asked to let the taker run can rely on it: it is enabled only while the lock is
        free, and the point it passes is the acquisition.
        """
        writer, readers, me = self._writer, self._readers, self.current
        if not self.left or not self.is_lock_free(name, shared):
            if shared:
                self._waiting[me] = lambda: name not in writer
            else:
                self._waiting[me] = lambda: name not in writer and not readers.get(name)
            self._view.pending[me] = (LOCK, name)
            self._dispatch()
            del self._waiting[me]
        self.left -= 1
        if shared:
            readers[name] = readers.get(name, 0) + 1
        else:
            writer[name] = me
        self.record((LOCK, me, name, 0, 0, shared))

    def is_lock_free(self, name: int, shared: int) -> bool:
        """Whether a taker of the lock need not wait."""
        return name not in self._writer and (bool(shared) or not self._readers.get(name))

    def unlock(self, name: int, shared: int = 0) -> None:
        """Release a lock taken in the same mode."""
        self.point(UNLOCK, name)
        if shared:
            self._readers[name] -= 1
        else:
            del self._writer[name]
        self.record((UNLOCK, self.current, name, 0, 0, shared))

    def contended(self, name: int) -> bool:
        """Whether another thread stands at the lock ``name`` (spin_needbreak, rwlock_needbreak)."""
        pending, me = self._view.pending, self.current
        return any(each != me and pending[each] == (LOCK, name) for each in self._waiting)

    def execute(
        self,
        bodies: list[Body],
        scheduler: Scheduler,
        drains: int,
        first: Sequence[tuple[int, int]] = (),
    ) -> str:
        """Run ``bodies`` as threads 0.. to their end.

        ``first`` are the first steps of the first threads, where they are known. ``drains`` more
        pseudo-threads make pending stores visible. Returns ``finished``, ``deadlock``,
        ``limit`` or ``crash``; an exception of a thread is raised here.
        """
        count = len(bodies)
        while len(self._workers) < count:
            self._workers.append(greenlet(self._loop))
        self._hub = getcurrent()
        self._bodies, self._scheduler = bodies, scheduler
        self._begun, self.ended = [False] * count, [False] * count
        self._alive, self._waiting, self._drains = tuple(range(count)), {}, drains
        self._view = View(count + drains)
        self._view.pending[: len(first)] = first
        self._steps = self._granted = self.left = self.preemptions = 0
        self.current, self._error = -1, None
        self.runs, self.choices = [], []
        self._writer, self._readers = {}, {}
        scheduler.begin(count + drains)
        self._resume()
        if all(self.ended):
            return "finished"
        self._abandon()
        if self._error is not None:
            raise self._error
        return ENDS.get(self.events[-1][0], "deadlock")

    def alone(self, body: Body) -> None:
        """After ``execute``: run ``body`` as thread 0 with nobody else and no choice to make."""
        self.current, self.left = 0, FOREVER
        body()

    def drainable(self, drain: int) -> bool:
        """Whether a hardware drain has something to do; ``Memory`` knows."""
        raise ModelError(f"no drain {drain}")

    def drain(self, drain: int) -> None:
        """Make one pending store visible; ``Memory`` knows how."""
        raise ModelError(f"no drain {drain}")

    def _loop(self) -> None:
        """The life of a pooled greenlet: one body a run, then the next thread or the hub."""
        while True:
            me = self.current
            self._begun[me] = True
            try:
                self.left -= 1  # to begin is a step, so that no run of a thread is empty
                self._bodies[me]()
                self.record((THREAD_END, me, 0, 0, 0, 0))
                self._end(me)
                self._view.pending[me] = (THREAD_END, 0)
                self._resume()
            except Abandon:
                self._hub.switch()
            except Exception as error:
                self._error = error
                self._end(me)
                self._hub.switch()

    def _end(self, thread: int) -> None:
        self.ended[thread] = True
        self._alive = tuple(each for each in self._alive if each != thread)

    def _enabled(self) -> tuple[int, ...]:
        """Those who can go on now; asked only where somebody may have to wait."""
        waiting, count = self._waiting, len(self.ended)
        alive = tuple([t for t in self._alive if t not in waiting or waiting[t]()])
        if not self._drains:
            return alive
        ready = [count + drain for drain in range(self._drains) if self.drainable(drain)]
        return (*alive, *ready)

    def _decide(self) -> int:
        """Close the run so far and ask who is next; -1 where nobody can go on."""
        view, count = self._view, len(self.ended)
        while True:
            before = self.current
            if before >= 0:
                self._close_run(before)
            enabled = self._enabled() if self._waiting or self._drains else self._alive
            if not enabled or self._steps > MAX_STEPS:
                return -1
            view.enabled, view.current = enabled, before
            chosen, granted = self._scheduler.next(view)
            if chosen != before:
                if chosen not in enabled or granted < 1:
                    raise ModelError(f"the scheduler chose {chosen} for {granted} of {enabled}")
                if before in enabled and before < count and not view.yielded:
                    self.preemptions += 1
            view.yielded, view.left = False, 0
            self.left = self._granted = granted
            if chosen < count:
                return chosen
            self.current = chosen
            while self.left and self.drainable(chosen - count):
                self.left -= 1
                self.drain(chosen - count)

    def _close_run(self, thread: int) -> None:
        """Record what ``thread`` passed since it was let run, at least one point.

        A thread may end, block or yield again before it passes any; were that not counted, the
        schedule could not say that it ran there.
        """
        left, granted, runs = self.left, self._granted, self.runs
        if left >= granted:
            left = granted - 1
        done = granted - left
        self._steps += done
        if runs and runs[-1][0] == thread:
            runs[-1] = (thread, runs[-1][1] + done)
        else:
            runs.append((thread, done))
        self.left = self._granted = self._view.left = left

    def _dispatch(self) -> None:
        """Let the scheduler's choice run; return when the calling thread is chosen again."""
        me = self.current
        chosen = self._decide()
        if chosen == me:
            self.current = me
            return
        self._switch_to(chosen)

    def _resume(self) -> None:
        """From the hub, or from a thread that ended: run the next thread, if there is one."""
        chosen = self._decide()
        if chosen < 0 and getcurrent() is self._hub:
            return
        self._switch_to(chosen)

    def _switch_to(self, chosen: int) -> None:
        if chosen < 0:
            if not all(self.ended):
                self._record_stall()
            self._hub.switch()
            return
        self.current = chosen
        self._workers[chosen].switch()

    def _record_stall(self) -> None:
        if self._steps > MAX_STEPS:
            self.record((LIMIT, self.current, 0, 0, 0, LIMIT_STEPS))
        else:
            waiting = sum(1 << i for i, ended in enumerate(self.ended) if not ended)
            self.record((DEADLOCK, self.current, 0, 0, 0, waiting))

    def give_up(self, limit: int) -> None:
        """End the whole run as inconclusive, from inside a thread."""
        self.record((LIMIT, self.current, 0, 0, 0, limit))
        self._close_run(self.current)
        self._hub.switch()

    def bug(self) -> None:
        """BUG(): the kernel stops here, and with it the run."""
        self.record((WARN, self.current, 0, 0, 0, WARN_BUG))
        self._close_run(self.current)
        self._hub.switch()

    def _abandon(self) -> None:
        """Unwind every thread that is inside its body, so that the pool can be used again."""
        for i, worker in enumerate(self._workers[: len(self.ended)]):
            if self._begun[i] and not self.ended[i]:
                worker.throw(Abandon())
