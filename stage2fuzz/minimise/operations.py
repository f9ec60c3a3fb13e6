"""Drop one access or host operation, and let its thread's runs shrink with it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.schedule.base import Schedule

MOST: Final = 150
"""Shrunken schedules tried for each operation; the points of a usual thread."""


def drop_operation(case: Case, executed: Schedule) -> Iterator[Case]:
    """Without each operation of a thread that has others, the last ones first.

    The points that the operation took are not known, so one run of its thread is tried at each
    shorter length: what came later then starts where it started before.
    """
    for thread, scenario in _dropped(case.scenario):
        for schedule in _shrunken(executed, thread):
            yield replace(case, scenario=scenario, schedule=schedule)


def _dropped(scenario: Scenario) -> Iterator[tuple[int, Scenario]]:
    vcpus, hosts, cpus = scenario.vcpus, scenario.hosts, scenario.cpus
    for at, calls in enumerate(cpus):
        for index in range(len(calls) - 1, -1, -1):
            if left := calls[:index] + calls[index + 1 :]:
                yield at, replace(scenario, cpus=(*cpus[:at], left, *cpus[at + 1 :]))
    for at, operations in enumerate(hosts):
        for index in range(len(operations) - 1, -1, -1):
            if fewer := operations[:index] + operations[index + 1 :]:
                changed = (*hosts[:at], fewer, *hosts[at + 1 :])
                yield len(vcpus) + at, replace(scenario, hosts=changed)
    for at, accesses in enumerate(vcpus):
        for index in range(len(accesses) - 1, -1, -1):
            if rest := accesses[:index] + accesses[index + 1 :]:
                yield at, replace(scenario, vcpus=(*vcpus[:at], rest, *vcpus[at + 1 :]))


def _shrunken(executed: Schedule, thread: int) -> Iterator[Schedule]:
    yield executed
    runs, tried = executed.runs, 0
    for at, (runner, points) in enumerate(runs):
        for fewer in range(points - 1, -1, -1) if runner == thread else ():
            tried += 1
            if tried > MOST:
                return
            kept = ((thread, fewer),) if fewer else ()
            yield replace(executed, runs=(*runs[:at], *kept, *runs[at + 1 :]))
