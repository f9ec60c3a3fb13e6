"""Predicates over the toy engine, for minimising without the real one."""

from collections.abc import Callable

from stage2fuzz.arch import READ, WRITE
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Access, Scenario
from stage2fuzz.events import LOAD, STORE
from stage2fuzz.minimise import Recurrence, Same
from stage2fuzz.schedule.base import Scheduler
from stage2fuzz.schedule.replay import Replay
from tests.schedule.toy import Program, Result, Thread, World, run


def counters(scenario: Scenario) -> Program:
    """A write adds one to its page, unprotected; a read only looks."""

    def program(world: World) -> list[Thread]:
        def vcpu(accesses: tuple[Access, ...]) -> Thread:
            for access in accesses:
                where = 8 * access.page
                yield LOAD, where
                value = world.memory.get(where, 0)
                if access.kind == WRITE:
                    yield STORE, where
                    world.memory[where] = value + 1

        return [vcpu(accesses) for accesses in scenario.vcpus]

    return program


def loses_an_update(scenario: Scenario, result: Result) -> bool:
    """Whether some page counts fewer writes than there were."""
    writes = [a.page for accesses in scenario.vcpus for a in accesses if a.kind == WRITE]
    return any(result.memory[8 * page] < writes.count(page) for page in writes)


def same_lost_update(case: Case) -> Recurrence | None:
    """The predicate of the counter programs."""
    result = run(counters(case.scenario), Replay(case.schedule))
    if not loses_an_update(case.scenario, result):
        return None
    return Recurrence(result.schedule, result.preemptions)


def same_bug(program: Program) -> Same:
    """The predicate of a fixed program: only the schedule can get simpler."""

    def same(case: Case) -> Recurrence | None:
        if case.scenario != scenario_for(program):
            return None
        result = run(program, Replay(case.schedule))
        failed = result.bug or result.deadlock
        return Recurrence(result.schedule, result.preemptions) if failed else None

    return same


def scenario_for(program: Program) -> Scenario:
    """A scenario with as many threads as the program, so that passes can count them."""
    threads = len(program(World(Replay(Case().schedule))))
    return Scenario(vcpus=((Access(READ, 0),),) * threads)


def failing_case(
    scenario: Scenario, program: Program, failed: Callable[[Result], bool], made: Scheduler
) -> Case:
    """The first failing execution that a strategy finds."""
    while True:
        result = run(program, made)
        if failed(result):
            return Case(scenario=scenario, schedule=result.schedule)
