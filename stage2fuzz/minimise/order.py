"""What is simpler, said once: a total order over cases, with the reason for each place in it.

A person who reads a reproducer follows threads first, so one thread less beats everything. Then
come operations, then things to keep in mind (pages, slots, exceptions of the host), then
preemptions, since each is a place where one must ask why. A switch at a block, at an end or at a
yield costs nothing. Then options and rare choices, then low pages and mild kinds of access, then
the length of the schedule, and at last the plain comparison that makes the order total.
"""

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Options, Scenario, Slot

Cost = tuple[int | tuple[object, ...], ...]

PLAIN_OPTIONS = Options()
PLAIN_SLOT = Slot()
_SLOT_FIELDS = ("backing", "readonly", "logging", "skewed", "hugetlb", "contiguous", "first")
_OPTION_FIELDS = (
    "ipa_bits",
    "tlb",
    "pending_stores",
    "hardware_af",
    "dic",
    "fwb",
    "cache_pages",
    "failing_topup",
    "teardown",
    "failing_atomic",
    "vhe",
    "manual_protect",
    "initially_set",
    "failing_alloc",
    "dirty_ring",
    "vncr",
    "nested",
)


def pages_of(scenario: Scenario) -> tuple[int, ...]:
    """The pages that anything names, in ascending order, each once."""
    named = {access.page for accesses in scenario.vcpus for access in accesses}
    named.update(operation.page for host in scenario.hosts for operation in host)
    named.update(exception.page for exception in scenario.host_pages)
    return tuple(sorted(named))


def oddities(scenario: Scenario) -> int:
    """Settings of slots and machine that are not the plain ones."""
    options = scenario.options
    odd = [getattr(options, name) != getattr(PLAIN_OPTIONS, name) for name in _OPTION_FIELDS]
    for slot in scenario.slots:
        odd += [getattr(slot, name) != getattr(PLAIN_SLOT, name) for name in _SLOT_FIELDS]
    return odd.count(True)


def cost(case: Case, preemptions: int) -> Cost:
    """The place of ``case`` in the order; less is simpler. Engines are not compared."""
    scenario, schedule = case.scenario, case.schedule
    return (
        scenario.threads,
        sum(map(len, (*scenario.vcpus, *scenario.hosts, *scenario.cpus))),
        len(pages_of(scenario)) + len(scenario.slots) + len(scenario.host_pages),
        preemptions,
        oddities(scenario) + sum(choice != 0 for choice in schedule.choices),
        _plain(scenario),
        len(schedule.runs) + len(schedule.choices),
        sum(points for _, points in schedule.runs),
        (schedule.runs, schedule.choices),
    )


def _plain(scenario: Scenario) -> tuple[object, ...]:
    """A scenario as nested tuples of numbers, smaller where pages, kinds and ranges are."""
    options = scenario.options
    return (
        tuple((a.page, a.kind) for accesses in scenario.vcpus for a in accesses),
        tuple((o.page, o.pages, int(o.op)) for host in scenario.hosts for o in host),
        tuple((exception.page, int(exception.host)) for exception in scenario.host_pages),
        tuple(
            (slot.pages, *(int(getattr(slot, n)) for n in _SLOT_FIELDS)) for slot in scenario.slots
        ),
        tuple(int(getattr(options, name)) for name in _OPTION_FIELDS),
        tuple(map(len, scenario.vcpus)),
        tuple(map(len, scenario.hosts)),
        tuple((c.flag, c.vm, c.page, c.gfn, int(c.op)) for calls in scenario.cpus for c in calls),
        tuple(map(len, scenario.cpus)),
    )
