"""Drop a thread with everything it does; the schedule forgets it and renumbers the others."""

from collections.abc import Iterator
from dataclasses import replace

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.schedule.base import Run, Schedule


def drop_thread(case: Case, executed: Schedule) -> Iterator[Case]:
    """Without each host thread, then without each vCPU; one vCPU, or host CPU, always stays."""
    scenario, vcpus = case.scenario, len(case.scenario.vcpus)
    if len(scenario.cpus) == 1:
        return
    for thread in range(scenario.threads - 1, -1, -1):
        if thread >= vcpus or vcpus > 1:
            runs = tuple(_without(executed.runs, thread, scenario.threads))
            schedule = Schedule(runs, executed.choices)
            yield replace(case, scenario=_dropped(scenario, thread), schedule=schedule)


def _dropped(scenario: Scenario, thread: int) -> Scenario:
    vcpus = len(scenario.vcpus)
    if scenario.cpus:
        return replace(scenario, cpus=scenario.cpus[:thread] + scenario.cpus[thread + 1 :])
    if thread < vcpus:
        return replace(scenario, vcpus=scenario.vcpus[:thread] + scenario.vcpus[thread + 1 :])
    host = thread - vcpus
    return replace(scenario, hosts=scenario.hosts[:host] + scenario.hosts[host + 1 :])


def _without(runs: tuple[Run, ...], thread: int, threads: int) -> Iterator[Run]:
    """The runs of the others; numbers from ``threads`` on are the hardware drains of each."""
    for runner, points in runs:
        drain, who = divmod(runner, threads)
        if who != thread:
            yield drain * (threads - 1) + who - (who > thread), points
