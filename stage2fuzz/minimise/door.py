"""The one door to the predicate: it counts, it remembers, and it keeps the best.

Passes only propose. That nothing is run that is no case at all, that no case is tried twice, that
the budget holds, and that the result never gets worse is settled here and nowhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from stage2fuzz.case.case import Case
from stage2fuzz.case.limits import check_case
from stage2fuzz.errors import InputError
from stage2fuzz.minimise.order import Cost, cost
from stage2fuzz.schedule.base import Schedule


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What the predicate saw, where the fault was still the same one."""

    schedule: Schedule
    """The executed schedule: what a lenient replay made of the one asked for."""
    preemptions: int
    """Switches away from a thread that could go on; those at a block, end or yield are free."""


Same = Callable[[Case], Recurrence | None]
"""Replays a case; None unless it ends in the same fault (the same signature, not just any)."""


def valid(case: Case) -> bool:
    """Whether ``case`` is within the limits that engines rely on: a pass may move a page out of
    its slot, or shrink the slot away from the page.
    """
    try:
        check_case(case, "candidate")
    except InputError:
        return False
    return True


class Door:
    """Tries candidates until ``budget`` replays are used up."""

    def __init__(self, same: Same, budget: int) -> None:
        self._same, self._budget = same, budget
        self._known: dict[Case, Recurrence | None] = {}
        self.tries = 0
        self.best: Case
        """The simplest case so far that shows the fault."""
        self.executed: Schedule
        """Its executed schedule: all runs, where the best one may rely on the fair end."""
        self.preemptions = 0
        self._cost: Cost

    @property
    def exhausted(self) -> bool:
        """Whether the budget is used up."""
        return self.tries >= self._budget

    def enter(self, case: Case) -> bool:
        """Try the case to start from; False if it does not show the fault."""
        seen = self._replay(case)
        if seen is None:
            return False
        self._keep(case, seen, cost(case, seen.preemptions))
        self._prefer_executed(case, seen)
        return True

    def simpler(self, candidate: Case) -> bool:
        """Whether ``candidate`` shows the fault and is simpler than the best; if so, keep it."""
        seen = self._replay(candidate)
        if seen is None:
            return False
        price = cost(candidate, seen.preemptions)
        improved = price < self._cost
        if improved:
            self._keep(candidate, seen, price)
        return self._prefer_executed(candidate, seen) or improved

    def _prefer_executed(self, case: Case, seen: Recurrence) -> bool:
        """The executed schedule is the same run; it may be the plainer way to write it down."""
        written = replace(case, schedule=seen.schedule)
        price = cost(written, seen.preemptions)
        if price < self._cost:
            self._keep(written, seen, price)
            return True
        return False

    def _keep(self, case: Case, seen: Recurrence, price: Cost) -> None:
        self.best, self._cost = case, price
        self.executed, self.preemptions = seen.schedule, seen.preemptions

    def _replay(self, case: Case) -> Recurrence | None:
        if case in self._known:
            return self._known[case]
        if self.exhausted or not valid(case):
            return None
        self.tries += 1
        seen = self._known[case] = self._same(case)
        return seen
