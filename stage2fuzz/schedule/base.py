"""The door between an engine and whoever decides who runs: a value, a view and a protocol.

The engine passes a *scheduling point* before each shared step. Most points only count down; the
scheduler is asked when the count reaches zero, when the running thread blocks or ends, and when
it yields (a vCPU re-enters the guest after a fault). An answer is a run: a thread and how many
points it may pass. The list of the runs that were really executed is the schedule, so replay is
one more scheduler and not a mode.
"""

from dataclasses import dataclass
from typing import Final, Protocol

FOREVER: Final = 1 << 30
"""As many points as the thread likes: until it blocks, ends or yields."""

Run = tuple[int, int]
"""(thread, points it passes)."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Runs of threads, and the rarer choices (0 is always the mildest) in a stream of their own."""

    runs: tuple[Run, ...] = ()
    choices: tuple[int, ...] = ()


class View:
    """What a scheduler may look at when asked; the engine owns it and reuses it."""

    __slots__ = ("current", "enabled", "left", "pending", "yielded")

    def __init__(self, threads: int) -> None:
        """``threads`` counts every thread, hardware drains included."""
        self.enabled: tuple[int, ...] = tuple(range(threads))
        """Threads whose pending step can be taken, in ascending order; never empty."""
        self.current = -1
        """The thread that was running (-1 at the start); enabled unless it blocked or ended."""
        self.left = 0
        """Points the current thread had left when it yielded, blocked or ended; 0 at a point."""
        self.yielded = False
        """The current thread is at a yield: leaving it here is no preemption."""
        self.pending: list[tuple[int, int]] = [(0, 0)] * threads
        """For each thread the (event kind, location) of its next step; (0, 0) where it has not
        begun or is at a yield, (THREAD_END, 0) where it has ended. Exact otherwise, save for the
        running thread."""


class Scheduler(Protocol):
    """Two decisions: who runs for how long, and which of n alternatives happens."""

    def begin(self, threads: int) -> None:
        """A run with this many threads starts."""

    def next(self, view: View) -> Run:
        """One of ``view.enabled``, and how many points (at least 1) it may pass."""

    def choose(self, options: int) -> int:
        """One of ``range(options)``; asked only where options > 1."""
