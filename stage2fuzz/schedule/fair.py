"""Fair: no strategy may starve a thread that another one's yields were waiting for.

Musuvathi, Qadeer: Fair Stateless Model Checking, PLDI 2008. Only under a fair scheduler does an
endless run accuse the program; an unfair one may simply never run the thread that would end it.
A thread that yields gives way to those that were enabled throughout its window, or that it
disabled, and that did not run in it. The relation "gives way to" stays acyclic, so somebody can
always go.

Departure: the bookkeeping is done each time the scheduler is asked and not at each point, which
changes nothing, since priorities move at yields only, and a yield always asks; a thread that
gives way to a disabled one is granted one point at a time.
"""

from stage2fuzz.schedule.base import Run, Scheduler, View


class Fair:
    """``inner`` decides among the threads that need not give way.

    ``period`` k: only each k-th yield of a thread counts, which keeps more behaviours.
    """

    def __init__(self, inner: Scheduler, period: int = 1) -> None:
        self._inner, self._period = inner, period
        self._view = View(0)
        self._gives_way: list[int] = []
        self._since_enabled: list[int] = []
        self._disabled_by: list[int] = []
        self._ran: list[int] = []
        self._yields: list[int] = []
        self._before = 0

    def begin(self, threads: int) -> None:
        """Nobody gives way; the first window of each thread is neutral."""
        everyone = (1 << threads) - 1
        self._view = View(threads)
        self._gives_way = [0] * threads
        self._since_enabled = [0] * threads
        self._disabled_by = [0] * threads
        self._ran = [everyone] * threads
        self._yields = [0] * threads
        self._before = 0
        self._inner.begin(threads)

    def next(self, view: View) -> Run:
        """What ``inner`` says, asked with the fair part of the enabled threads."""
        mask = 0
        for thread in view.enabled:
            mask |= 1 << thread
        if view.current >= 0:
            self._account(view.current, mask, view.yielded)
        self._before = mask
        gives_way = self._gives_way
        asked = self._view
        asked.enabled = tuple(t for t in view.enabled if not gives_way[t] & mask)
        asked.current, asked.left = view.current, view.left
        asked.yielded, asked.pending = view.yielded, view.pending
        thread, points = self._inner.next(asked)
        return thread, 1 if gives_way[thread] else points

    def _account(self, ran: int, enabled: int, yielded: bool) -> None:
        bit = 1 << ran
        for thread in range(len(self._ran)):
            self._gives_way[thread] &= ~bit
            self._since_enabled[thread] &= enabled
            self._ran[thread] |= bit
        self._disabled_by[ran] |= self._before & ~enabled
        if not yielded:
            return
        self._yields[ran] += 1
        if self._yields[ran] % self._period:
            return
        starved = (self._since_enabled[ran] | self._disabled_by[ran]) & ~self._ran[ran]
        self._gives_way[ran] |= starved
        self._since_enabled[ran], self._disabled_by[ran], self._ran[ran] = enabled, 0, 0

    def choose(self, options: int) -> int:
        """What ``inner`` says."""
        return self._inner.choose(options)
