"""Follow a plan on a machine: each step of it, and what was seen on the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from stage2fuzz.case.scenario import Scenario
from stage2fuzz.confirm.anchors import Anchor
from stage2fuzz.confirm.driver import Driver, NotReachedError, NotSettledError, StubDriver
from stage2fuzz.confirm.machine import VirtualMachine
from stage2fuzz.confirm.orders import orders
from stage2fuzz.confirm.plan import Plan, Stop

AFTER_PUBLICATION: Final = (Anchor.COMMIT, Anchor.UNMAP)
"""What a change of memslots does next: it is made known, or the pages of a deleted one go."""


@dataclass(slots=True)
class HeldThread:
    """A thread that stood where the plan wants it."""

    thread: int
    stop: Stop
    stack: tuple[int, ...]


@dataclass(slots=True)
class PlanProgress:
    """How far the plan could be followed."""

    held: list[HeldThread] = field(default_factory=list)
    missed: str = ""
    """Where it could not be followed any more; empty where it could be to its end."""
    unsettled: str = ""
    """Why a run that shows nothing may be another schedule's; empty where it is the plan's."""


@dataclass(slots=True)
class _Place:
    """How far a thread is: its item, and how often it arrived at which anchor in it."""

    item: int = 0
    arrivals: dict[Anchor, int] = field(default_factory=dict)
    faulted: bool = False
    """Whether a fault was taken that is not handled yet."""

    def arrive(self, anchor: Anchor) -> None:
        """Count it; an item that ends begins the next one's counts.

        Where a fault's handler returns to, those of other traps return to as well: without a fault
        that is nobody's arrival.
        """
        if anchor is Anchor.RESUME and not self.faulted:
            return
        if anchor in (Anchor.FAULT, Anchor.RESUME):
            self.faulted = anchor is Anchor.FAULT
        if anchor is Anchor.ITEM:
            self.item += 1
            self.arrivals.clear()
        else:
            self.arrivals[anchor] = self.arrivals.get(anchor, 0) + 1


def run_plan(
    machine: VirtualMachine,
    driver: StubDriver,
    scenario: Scenario,
    plan: Plan,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> tuple[list[str], PlanProgress]:
    """Make the scenario, force the plan, tear down; all lines of the answers, and how far it went.

    ``before`` and ``after`` are orders around it; the last of ``after`` is ``drop``.
    """
    *described, make = (*before, *orders(scenario))
    machine.order(*described)
    machine.stub.interrupt()
    driver.learn_returns(lambda: machine.send(make))
    lines = machine.answers(make)
    forced = force(plan, driver, lambda: machine.send("together"))
    lines += machine.answers("together")
    lines += machine.order(*after)
    return lines, forced


def force(plan: Plan, driver: Driver, start: Callable[[], None]) -> PlanProgress:
    """Begin all threads by ``start``, follow the plan as far as it goes, then let all go."""
    forced = PlanProgress()
    places: dict[int, _Place] = {}
    watched: dict[int, set[Anchor]] = {}
    for step in plan.steps:
        anchors = watched.setdefault(step.thread, {Anchor.ITEM})
        anchors.add(step.stop.anchor)
        if step.stop.anchor is Anchor.RESUME:
            anchors.add(Anchor.FAULT)
    try:
        driver.begin(start)
        for step in plan.steps:
            place = places.setdefault(step.thread, _Place())
            _go(driver, step.thread, place, step.stop, watched[step.thread])
            stack = driver.stack(step.thread) if step.stop.anchor is not Anchor.ITEM else []
            forced.held.append(HeldThread(step.thread, step.stop, tuple(stack)))
            if step.stop.anchor is Anchor.PUBLISHED:
                # A fault that begins before the grace period does would be waited for as well.
                _settle(driver, step.thread, place, forced)
    except NotReachedError as error:
        forced.missed = str(error)
    driver.release()
    return forced


def _settle(driver: Driver, thread: int, place: _Place, forced: PlanProgress) -> None:
    """Let a thread come to wait for readers, or past where it would."""
    try:
        reached = driver.settle(thread, AFTER_PUBLICATION)
    except NotSettledError as error:
        forced.unsettled = str(error)
        return
    if reached is not None:
        place.arrive(reached)


def _go(driver: Driver, thread: int, place: _Place, stop: Stop, watched: set[Anchor]) -> None:
    """Let one thread run to its stop; NotReachedError where it gets past it or nowhere.

    Arrivals at each of the anchors ``watched`` are counted, also where nobody wants to stop yet.
    """
    anchors = sorted(watched)
    while not _there(place, stop):
        try:
            reached = driver.advance(thread, anchors)
        except NotReachedError as error:
            raise NotReachedError(f"thread {thread} never got to {stop}: {error}") from None
        place.arrive(reached)
        if place.item > stop.item:
            raise NotReachedError(f"thread {thread} ended item {stop.item + 1} without {stop}")


def _there(place: _Place, stop: Stop) -> bool:
    """Whether the thread stands at the stop, having begun before its first item."""
    if stop.anchor is Anchor.ITEM:
        return place.item == stop.item
    return place.item == stop.item and place.arrivals.get(stop.anchor, 0) >= stop.arrival
