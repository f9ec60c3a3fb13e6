"""Limits of a case, checked in one place, so that engines need not distrust what they are given.

Everything that enters from outside (a text, a database row, an order) passes here once; what the
byte codec makes is within the limits by construction, and a test says so. The checks raise
``InputError`` at the ``where`` of their caller, so a text can name the file and the line.
"""

import re
from collections.abc import Iterable
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.el2 import (
    EL2_TEST_PAGES,
    MAX_CPUS,
    MAX_EL2_VMS,
    MAX_HYP_CALLS,
    HypCall,
    plain_hyp_call,
)
from stage2fuzz.case.scenario import (
    ACCESS_KINDS,
    MAX_ACCESSES,
    MAX_HOST_OPS,
    MAX_HOST_PAGES,
    MAX_HOST_THREADS,
    MAX_NESTED,
    MAX_SLOTS,
    MAX_VCPUS,
    PLACES,
    RANGE_PAGES,
    SKEWS,
    SLOT_FIRSTS,
    SLOT_PAGES,
    SLOT_STRIDE,
    Access,
    Host,
    HostOp,
    HostPage,
    Options,
    Scenario,
    Slot,
)
from stage2fuzz.errors import InputError
from stage2fuzz.schedule.base import FOREVER, Run, Schedule

IPA_BITS: Final = (40, 48)
MAX_CACHE_PAGES: Final = 3
"""A walk from level 0 to 3 links three tables: more pages than that never run dry."""
MAX_FAILING_TOPUP: Final = 63
MAX_FAILING_ALLOC: Final = 63
MAX_RUNS: Final = 1 << 15
"""Runs of a schedule: more than any run of an engine can have (``MAX_STEPS`` ends it)."""
MAX_CHOICES: Final = 1 << 15
MAX_CHOICE: Final = 255
MAX_TEXT: Final = 1 << 20
"""Characters of a case text."""

_ENGINE = re.compile(r"[a-z][a-z0-9]{0,15}:.{1,200}")


def schedulable(scenario: Scenario) -> int:
    """Thread numbers a schedule may name: every thread, and with pending stores one drain each."""
    return scenario.threads * (2 if scenario.options.pending_stores else 1)


def normal(schedule: Schedule) -> Schedule:
    """The one form of equal schedules: runs of one thread merged, trailing zero choices dropped.

    A run that follows one of the same thread is no decision, and choice 0 is what a replay takes
    when the list has ended; without one form, equal cases would have different bytes.
    """
    runs: list[Run] = []
    for thread, points in schedule.runs:
        if runs and runs[-1][0] == thread:
            runs[-1] = (thread, min(runs[-1][1] + points, FOREVER))
        else:
            runs.append((thread, points))
    choices = schedule.choices
    kept = len(choices)
    while kept and not choices[kept - 1]:
        kept -= 1
    return Schedule(tuple(runs), choices[:kept])


def check_engine(engine: str, where: str) -> None:
    """Check the shape of an engine's name; which there are is known to ``stage2fuzz.engine``."""
    if not _ENGINE.fullmatch(engine) or not engine.isprintable():
        right = "KIND:NAME, such as model:v5.10" + (
            "" if engine.isprintable() else ", of printable characters"
        )
        raise InputError(where, f"engine {engine[:80]!r}", right)


def check_slot(slot: Slot, where: str) -> None:
    """Check the size of a memslot, and where it begins."""
    _one_of(slot.pages, SLOT_PAGES, "a slot of {} pages", where)
    _one_of(slot.first, SLOT_FIRSTS, "a slot that begins at page {}", where)
    _one_of(slot.skewed, (0, *SKEWS), "a slot skewed by {} pages", where)


def check_options(options: Options, where: str) -> None:
    """Check the numbers among the options."""
    _one_of(options.ipa_bits, IPA_BITS, "{} IPA bits", where)
    _at_most(options.cache_pages, 0, MAX_CACHE_PAGES, "cache pages", where)
    _at_most(options.failing_topup, 0, MAX_FAILING_TOPUP, "failing top-up", where)
    _at_most(options.failing_alloc, 0, MAX_FAILING_ALLOC, "failing allocation", where)
    _at_most(options.nested, 0, MAX_NESTED, "nested guests", where)


def check_page(page: int, slots: int, where: str) -> None:
    """Check that a page is one of ``PLACES`` of slots 0 to ``slots`` - 1."""
    slot, place = divmod(page, SLOT_STRIDE)
    if not 0 <= slot < slots:
        right = "slot 0 alone" if slots == 1 else f"slots 0 to {slots - 1}"
        raise InputError(where, f"a page in slot {slot}", right)
    _one_of(place, PLACES, "page {} of a slot", where)


def check_access(access: Access, where: str) -> None:
    """Check one guest access; its page may lie in no slot (the guest then meets MMIO)."""
    _one_of(access.kind, ACCESS_KINDS, "access kind {}", where)
    check_page(access.page, MAX_SLOTS, where)


def check_backed(page: int, slots: tuple[Slot, ...], where: str) -> None:
    """Check that a page lies inside one of the slots."""
    check_page(page, len(slots), where)
    slot, place = divmod(page, SLOT_STRIDE)
    first, pages = slots[slot].first, slots[slot].pages
    if not first <= place < first + pages:
        right = f"it has {pages} pages" + (f" from page {first} on" if first else "")
        raise InputError(where, f"page {place} of slot {slot}", right)


def check_host_op(operation: HostOp, slots: tuple[Slot, ...], where: str) -> None:
    """Check one host operation; the end of its slot ends its range."""
    _one_of(operation.pages, RANGE_PAGES, "a range of {} pages", where)
    check_backed(operation.page, slots, where)


def check_host_page(exception: HostPage, slots: tuple[Slot, ...], where: str) -> None:
    """Check what the host grants on one page."""
    check_backed(exception.page, slots, where)
    if exception.host is Host.RW:
        raise InputError(where, "host page rw", "rw is what every other page has: leave it out")


def check_hyp_call(call: HypCall, where: str) -> None:
    """Check one operation of a host CPU."""
    _at_most(call.page, 0, EL2_TEST_PAGES - 1, "page", where)
    _at_most(call.gfn, 0, EL2_TEST_PAGES - 1, "gfn", where)
    _at_most(call.vm, 0, MAX_EL2_VMS - 1, "vm", where)
    _at_most(call.flag, 0, 1, "flag", where)
    if plain_hyp_call(call) != call:
        raise InputError(where, f"{call.op.name.lower()} with a field that it does not read", "0")


def _check_cpus(scenario: Scenario, where: str) -> None:
    """Check a scenario of host CPUs, which has nothing of any other."""
    if scenario != Scenario(vcpus=(), cpus=scenario.cpus, options=scenario.options):
        right = "host CPUs alone, or vCPUs and host threads"
        raise InputError(where, "host CPUs beside slots, vCPUs or host threads", right)
    plain = Options(fwb=scenario.options.fwb, teardown=scenario.options.teardown)
    if scenario.options != plain:
        raise InputError(where, "an option that host CPUs have not", "fwb and teardown")
    _at_most(len(scenario.cpus), 1, MAX_CPUS, "host CPUs", where)
    for number, calls in enumerate(scenario.cpus):
        _at_most(len(calls), 1, MAX_HYP_CALLS, f"calls of CPU {number}", where)
        for call in calls:
            check_hyp_call(call, where)


def check_guests(scenario: Scenario, engine: str) -> None:
    """Check that an engine of stage 2 has something to run: host CPUs are for EL2's alone."""
    if scenario.cpus:
        raise InputError(engine, "a case of host CPUs", "the engine hyp:TREE")


def check_scenario(scenario: Scenario, where: str) -> None:
    """Check every limit of ``scenario.py``."""
    if scenario.cpus:
        _check_cpus(scenario, where)
        return
    _at_most(len(scenario.slots), 1, MAX_SLOTS, "slots", where)
    _at_most(len(scenario.vcpus), 1, MAX_VCPUS, "vCPUs", where)
    _at_most(len(scenario.hosts), 0, MAX_HOST_THREADS, "host threads", where)
    _at_most(len(scenario.host_pages), 0, MAX_HOST_PAGES, "host pages", where)
    check_options(scenario.options, where)
    for slot in scenario.slots:
        check_slot(slot, where)
    for number, program in enumerate(scenario.vcpus):
        _at_most(len(program), 1, MAX_ACCESSES, f"accesses of vCPU {number}", where)
        for access in program:
            check_access(access, where)
    for number, operations in enumerate(scenario.hosts):
        _at_most(len(operations), 1, MAX_HOST_OPS, f"operations of host {number}", where)
        for operation in operations:
            check_host_op(operation, scenario.slots, where)
    named: list[int] = []
    for exception in scenario.host_pages:
        check_host_page(exception, scenario.slots, where)
        if exception.page in named:
            raise InputError(where, "one host page twice", "each page at most once")
        named.append(exception.page)


def check_schedule(schedule: Schedule, threads: int, where: str) -> None:
    """Check a schedule against the thread numbers it may name."""
    _at_most(len(schedule.runs), 0, MAX_RUNS, "runs", where)
    _at_most(len(schedule.choices), 0, MAX_CHOICES, "choices", where)
    for thread, points in schedule.runs:
        _at_most(thread, 0, threads - 1, "thread", where)
        _at_most(points, 1, FOREVER, "points of a run", where)
    for choice in schedule.choices:
        _at_most(choice, 0, MAX_CHOICE, "choice", where)


def check_case(case: Case, where: str) -> None:
    """Check a whole case: its engine's name, its scenario, its schedule."""
    check_engine(case.engine, where)
    check_scenario(case.scenario, where)
    check_schedule(case.schedule, schedulable(case.scenario), where)


def _at_most(value: int, low: int, high: int, what: str, where: str) -> None:
    if not low <= value <= high:
        raise InputError(where, f"{what}: {value}", f"{low} to {high}")


def _one_of(value: int, allowed: Iterable[int], what: str, where: str) -> None:
    if value not in allowed:
        right = "one of " + ", ".join(str(one) for one in allowed)
        raise InputError(where, what.format(value), right)
