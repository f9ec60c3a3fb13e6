"""Is our model of the host true? Random sequential cases on compiled code and on a real kernel.

One machine boots once and runs many cases, some of which are sent ahead, so that neither side waits
for the other. What must agree is what user space sees: how each access ended, the faults it took
(kind, reason, level), what each operation returned, each dirty log, and whether the kernel warned.
The first difference of a case is kept. Cases with switches are ``switched``'s.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.confirm.draw import draw
from stage2fuzz.confirm.machine import MachineError, VirtualMachine
from stage2fuzz.confirm.observe import observe
from stage2fuzz.confirm.orders import orders
from stage2fuzz.confirm.plan import items_of
from stage2fuzz.confirm.view import (
    MACHINE,
    HostDifference,
    first_difference,
    has_huge_pages,
    of_engine,
    of_kernel,
)
from stage2fuzz.errors import InputError
from stage2fuzz.run import run
from stage2fuzz.schedule.base import Schedule

THREADS: Final = 4
BATCH: Final = 8
"""Cases that are sent before the first of them is read; the console holds some 64 KiB."""
MACHINES: Final = 5
"""Machines that may die before it is no case's fault any more."""
QUICK: Final = "rcupdate.rcu_expedited=1"
"""Nobody is held here, so that no grace period need be waited for."""


@dataclass(slots=True)
class RealComparison:
    """All cases of one image."""

    release: str = ""
    cases: int = 0
    skipped: int = 0
    """Cases for which the machine had no huge page."""
    seconds: float = 0.0
    """What it took, the boot included."""


def against(
    engine: str,
    image: Path,
    seconds: float,
    seed: int,
    found: Callable[[HostDifference], None],
    progress: Callable[[RealComparison], None] = lambda _: None,
) -> RealComparison:
    """Run cases from ``seed`` on for so long; ``found`` gets each difference."""
    done = RealComparison()
    begun = time.monotonic()
    end = begun + seconds
    died = 0
    while time.monotonic() < end:
        with VirtualMachine(image, THREADS + 1, options=QUICK) as machine:
            done.release = machine.release
            for number, usable, difference in _compared(machine, engine, seed, end):
                seed = number + 1
                done.cases += usable
                done.skipped += not usable
                if difference is not None:
                    died += difference.topic == MACHINE
                    found(difference)
                done.seconds = time.monotonic() - begun
                progress(done)
        if died >= MACHINES:
            raise InputError(str(image), f"{died} machines died, the last in seed {seed - 1}")
    return done


@dataclass(frozen=True, slots=True)
class _SentCase:
    """A case whose orders the machine has."""

    seed: int
    scenario: Scenario
    schedule: Schedule
    lines: tuple[str, ...]


def _compared(
    machine: VirtualMachine, engine: str, seed: int, end: float
) -> Iterator[tuple[int, bool, HostDifference | None]]:
    """Cases from ``seed`` on, until the time is over or the machine dies.

    Of each its seed, whether the machine had the huge pages it wants, and its difference.
    """
    waiting: deque[_SentCase] = deque()
    while waiting or time.monotonic() < end:
        while len(waiting) < BATCH and time.monotonic() < end:
            case = _case(seed)
            machine.send(*case.lines)
            waiting.append(case)
            seed += 1
        if not waiting:
            return
        case = waiting.popleft()
        outcome = run(Case(engine, case.scenario, case.schedule))
        try:
            answers = [line for sent in case.lines for line in machine.answers(sent.split()[0])]
        except MachineError as error:
            died = HostDifference(case.seed, outcome.case, MACHINE, "goes on", str(error))
            yield case.seed, True, died
            return
        seen = observe(answers)
        if not has_huge_pages(case.scenario, seen):
            yield case.seed, False, None
            continue
        said = of_engine(case.scenario, outcome.events)
        kernel = of_kernel(case.scenario, seen)
        yield case.seed, True, first_difference(case.seed, outcome.case, said, kernel)


def _case(seed: int) -> _SentCase:
    """All items of each thread in turn, and the log at the end."""
    scenario, schedule = draw(seed, THREADS)
    alone = " ".join(
        str(thread) for thread, _points in schedule.runs for _ in range(items_of(scenario, thread))
    )
    lines = ("sparse", *orders(scenario), f"alone {alone}", "dirty", "drop")
    return _SentCase(seed, scenario, schedule, lines)
