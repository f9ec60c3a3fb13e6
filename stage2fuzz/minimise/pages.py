"""Name lower pages, and ranges of one page: what is not about distance should not look like it."""

from collections.abc import Iterator
from dataclasses import replace

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import PLACES, RANGE_PAGES, SLOT_STRIDE, Scenario
from stage2fuzz.minimise.order import pages_of
from stage2fuzz.schedule.base import Schedule


def lower_pages(case: Case, executed: Schedule) -> Iterator[Case]:
    """Each page moved to each lower place of any slot up to its own, then each range shortened."""
    scenario = case.scenario
    for page in reversed(pages_of(scenario)):
        for slot in range(min(page // SLOT_STRIDE + 1, len(scenario.slots))):
            for place in PLACES:
                target = slot * SLOT_STRIDE + place
                if target < page and place < scenario.slots[slot].pages:
                    moved = _renamed(scenario, page, target)
                    yield replace(case, scenario=moved, schedule=executed)
    for at, operations in enumerate(scenario.hosts):
        for index, operation in enumerate(operations):
            for pages in RANGE_PAGES:
                if pages < operation.pages:
                    shorter = replace(operation, pages=pages)
                    changed = (*operations[:index], shorter, *operations[index + 1 :])
                    hosts = (*scenario.hosts[:at], changed, *scenario.hosts[at + 1 :])
                    yield replace(case, scenario=replace(scenario, hosts=hosts), schedule=executed)


def _renamed(scenario: Scenario, old: int, new: int) -> Scenario:
    return replace(
        scenario,
        vcpus=tuple(
            tuple(
                replace(access, page=new) if access.page == old else access for access in accesses
            )
            for accesses in scenario.vcpus
        ),
        hosts=tuple(
            tuple(replace(o, page=new) if o.page == old else o for o in operations)
            for operations in scenario.hosts
        ),
        host_pages=tuple(
            replace(exception, page=new) if exception.page == old else exception
            for exception in scenario.host_pages
        ),
    )
