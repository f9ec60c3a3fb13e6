"""Drop one access or host operation."""

from collections.abc import Iterator
from dataclasses import replace

from stage2fuzz.case import Case
from stage2fuzz.schedule.base import Schedule


def drop_operation(case: Case, executed: Schedule) -> Iterator[Case]:
    """Without each operation of a thread that has others, the last ones first."""
    scenario = case.scenario
    for at, operations in enumerate(scenario.hosts):
        for index in range(len(operations) - 1, -1, -1):
            fewer = operations[:index] + operations[index + 1 :]
            if fewer:
                hosts = (*scenario.hosts[:at], fewer, *scenario.hosts[at + 1 :])
                yield replace(case, scenario=replace(scenario, hosts=hosts), schedule=executed)
    for at, accesses in enumerate(scenario.vcpus):
        for index in range(len(accesses) - 1, -1, -1):
            rest = accesses[:index] + accesses[index + 1 :]
            if rest:
                vcpus = (*scenario.vcpus[:at], rest, *scenario.vcpus[at + 1 :])
                yield replace(case, scenario=replace(scenario, vcpus=vcpus), schedule=executed)
