"""Is our model of the host true where threads meet? Cases of one or two anchored switches.

A case is drawn, run on the engine, and turned into a plan as for ``confirm``; only plans that hold
a thread inside an item, and that keep every order of the run that means something, are forced on
the machine. What user space sees of both must agree. A machine that cannot follow a plan (a thread
waits there for one that is held, by a lock that the engine has not) says nothing, and is counted.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import SLOT_STRIDE, Op, Scenario
from stage2fuzz.confirm.anchors import RETURNS, Anchor, resolve
from stage2fuzz.confirm.draw import draw
from stage2fuzz.confirm.driver import StubDriver
from stage2fuzz.confirm.force import run_plan
from stage2fuzz.confirm.gdbstub import StubError
from stage2fuzz.confirm.machine import MachineError, VirtualMachine
from stage2fuzz.confirm.observe import observe
from stage2fuzz.confirm.plan import Plan, make_plan
from stage2fuzz.confirm.symbols import Symbols
from stage2fuzz.confirm.view import (
    MACHINE,
    HostDifference,
    first_difference,
    has_huge_pages,
    of_engine,
    of_kernel,
)
from stage2fuzz.errors import InputError
from stage2fuzz.events import Event
from stage2fuzz.run import run
from stage2fuzz.schedule.base import FOREVER, Schedule

THREADS: Final = 3
SWITCHES: Final = (1, 2)
"""How many times a thread is left inside an item, of the cases that are kept."""
POINTS: Final = 90
"""A fault takes some 40 points of the engine."""
EVENTS: Final = 1500
"""A longer run costs more to plan than to force."""
DRAWS: Final = 20
"""Schedules of one scenario that are tried for one that holds a thread inside an item."""
PATIENCE: Final = 5.0
"""Seconds until a thread is taken to wait for one that is held."""
MACHINES: Final = 5
"""Machines that may die before it is no case's fault any more."""


@dataclass(slots=True)
class SwitchedComparison:
    """All cases with switches on one image."""

    release: str = ""
    cases: int = 0
    """Those that the machine followed to the end, and that were compared."""
    skipped: int = 0
    """Cases for which the machine had no huge page."""
    missed: Counter[str] = field(default_factory=Counter)
    """Why a machine could not follow a plan, and how often."""


@dataclass(frozen=True, slots=True)
class SwitchedCase:
    """A case that holds one or two threads inside an item, and its run on the engine."""

    seed: int
    case: Case
    events: list[Event]
    plan: Plan


def compare_switched(
    engine: str,
    image: Path,
    end: float,
    seed: int,
    found: Callable[[HostDifference], None],
    progress: Callable[[SwitchedComparison], None] = lambda _: None,
) -> SwitchedComparison:
    """Force the cases of the seeds from ``seed`` on until ``end``, of the monotonic clock.

    ``found`` gets each difference.
    """
    done = SwitchedComparison()
    cases = filter(None, (draw_switched(engine, each) for each in count(seed)))
    died = 0
    while time.monotonic() < end:
        with VirtualMachine(image, THREADS + 1) as machine:
            done.release = machine.release
            session = _Session(machine, image, done)
            for case in cases:
                difference = session.compare(case)
                if difference is not None:
                    found(difference)
                progress(done)
                if time.monotonic() > end:
                    break
                if difference is not None and difference.topic == MACHINE:
                    died += 1
                    break
        if died >= MACHINES:
            raise InputError(str(image), f"{died} machines died, each in a case of its own")
    return done


class _Session:
    """One machine and what its kernel's anchors are."""

    def __init__(self, machine: VirtualMachine, image: Path, done: SwitchedComparison) -> None:
        known = Symbols(image, machine).addresses()
        self._addresses = {
            anchor: [address] for anchor, address in resolve(known, str(image)).items()
        }
        self._machine, self._done = machine, done
        self._driver = StubDriver(machine.stub, self._addresses, THREADS, PATIENCE)
        self._driver.let_run()

    def compare(self, asked: SwitchedCase) -> HostDifference | None:
        """Force one case; what differs, if anything does."""
        missing = asked.plan.anchors - set(self._addresses) - set(RETURNS)
        if missing:
            self._done.missed[f"the kernel has no {sorted(missing)[0]}"] += 1
            return None
        scenario = asked.case.scenario
        try:
            lines, forced = run_plan(
                self._machine, self._driver, scenario, asked.plan, ("sparse",), ("dirty", "drop")
            )
        except (MachineError, StubError) as error:
            return HostDifference(asked.seed, asked.case, MACHINE, "goes on", str(error))
        seen = observe(lines)
        if forced.missed:
            self._done.missed[forced.missed] += 1
            return None
        if not has_huge_pages(scenario, seen):
            self._done.skipped += 1
            return None
        self._done.cases += 1
        engine, kernel = of_engine(scenario, asked.events), of_kernel(scenario, seen)
        return first_difference(asked.seed, asked.case, engine, kernel)


def draw_switched(engine: str, seed: int) -> SwitchedCase | None:
    """The case of a seed; None where none of its schedules holds a thread inside an item."""
    chance = Random(f"switched {seed}")
    scenario, _sequential = draw(seed, THREADS)
    if _races_with_a_deletion(scenario):
        return None
    for _ in range(DRAWS):
        outcome = run(Case(engine, scenario, _schedule(chance)))
        if len(outcome.events) > EVENTS:
            return None
        plan = make_plan(scenario, outcome.events, depths=True)
        inside = sum(step.stop.anchor is not Anchor.ITEM for step in plan.steps)
        if not plan.lost and inside in SWITCHES:
            return SwitchedCase(seed, outcome.case, outcome.events, plan)
    return None


def _races_with_a_deletion(scenario: Scenario) -> bool:
    """Whether one host thread deletes a slot that another works on.

    The kernel makes such a slot anew if its flags are set after the deletion; an engine leaves the
    operation out.
    """
    slots = [{op.page // SLOT_STRIDE for op in ops} for ops in scenario.hosts]
    return any(
        op.op is Op.SLOT_DELETE and op.page // SLOT_STRIDE in slots[other]
        for number, ops in enumerate(scenario.hosts)
        for other in range(len(slots))
        if other != number
        for op in ops
    )


def _schedule(chance: Random) -> Schedule:
    """One thread or two are left after some points, for another that runs as far as it can."""
    first, second, third = chance.sample(range(THREADS), THREADS)
    points = chance.randint(1, POINTS)
    runs = [(first, points), (second, FOREVER), (first, FOREVER), (third, FOREVER)]
    if chance.random() < 0.5:
        more = chance.randint(1, POINTS)
        other = chance.choice((second, third))
        runs = [(first, points), (second, more), (other, FOREVER), (first, FOREVER)]
        runs += [(second, FOREVER), (third, FOREVER)]
    return Schedule(tuple(runs))
