"""Make settings plain: options, slots, what the host grants, the kinds of accesses."""

from collections.abc import Iterator
from dataclasses import fields, replace

from stage2fuzz.case.case import Case
from stage2fuzz.case.el2 import HypCall, plain_hyp_call
from stage2fuzz.case.scenario import ACCESS_KINDS, SLOT_PAGES, SLOT_STRIDE, Scenario, Slot
from stage2fuzz.minimise.order import PLAIN_OPTIONS, PLAIN_SLOT, pages_of
from stage2fuzz.schedule.base import Schedule


def plain_settings(case: Case, executed: Schedule) -> Iterator[Case]:
    """Each exception, setting and kind made plainer, one at a time."""
    for scenario in _plainer(case.scenario):
        yield replace(case, scenario=scenario, schedule=_without_drains(executed, scenario))


def _without_drains(schedule: Schedule, scenario: Scenario) -> Schedule:
    """The schedule without the numbers of store buffers, where there are none any more."""
    if scenario.options.pending_stores:
        return schedule
    runs = tuple(run for run in schedule.runs if run[0] < scenario.threads)
    return replace(schedule, runs=runs)


def _plainer(scenario: Scenario) -> Iterator[Scenario]:
    exceptions = scenario.host_pages
    for at in range(len(exceptions)):
        yield replace(scenario, host_pages=exceptions[:at] + exceptions[at + 1 :])
    if len(scenario.slots) > 1 and pages_of(scenario)[-1] < SLOT_STRIDE * (len(scenario.slots) - 1):
        yield replace(scenario, slots=scenario.slots[:-1])
    for field in fields(PLAIN_OPTIONS):
        plain = getattr(PLAIN_OPTIONS, field.name)
        if getattr(scenario.options, field.name) != plain:
            yield replace(scenario, options=replace(scenario.options, **{field.name: plain}))
    for at, slot in enumerate(scenario.slots):
        for plainer in _plainer_slots(slot):
            slots = (*scenario.slots[:at], plainer, *scenario.slots[at + 1 :])
            yield replace(scenario, slots=slots)
    yield from _plainer_calls(scenario)
    for at, accesses in enumerate(scenario.vcpus):
        for index, access in enumerate(accesses):
            for kind in ACCESS_KINDS[: ACCESS_KINDS.index(access.kind)]:
                changed = (*accesses[:index], replace(access, kind=kind), *accesses[index + 1 :])
                vcpus = (*scenario.vcpus[:at], changed, *scenario.vcpus[at + 1 :])
                yield replace(scenario, vcpus=vcpus)


def _plainer_calls(scenario: Scenario) -> Iterator[Scenario]:
    """Each field of a host CPU's call lowered, in that call alone and wherever it has the value."""
    for name in ("flag", "vm", "page", "gfn"):
        values = {getattr(call, name) for calls in scenario.cpus for call in calls}
        for value in sorted(values - {0}, reverse=True):
            for lower in range(value):
                yield replace(
                    scenario,
                    cpus=tuple(
                        tuple(
                            _with_field(call, name, lower) if getattr(call, name) == value else call
                            for call in calls
                        )
                        for calls in scenario.cpus
                    ),
                )


def _with_field(call: HypCall, name: str, value: int) -> HypCall:
    return plain_hyp_call(replace(call, **{name: value}))  # type: ignore[arg-type]


def _plainer_slots(slot: Slot) -> Iterator[Slot]:
    for field in fields(PLAIN_SLOT):
        plain = getattr(PLAIN_SLOT, field.name)
        if field.name != "pages" and getattr(slot, field.name) != plain:
            yield replace(slot, **{field.name: plain})
    for pages in SLOT_PAGES:
        if pages < slot.pages:
            yield replace(slot, pages=pages)
