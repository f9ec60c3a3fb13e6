"""Hypothesis strategies for cases, built from the limits of ``scenario.py`` and not from bytes."""

from hypothesis import strategies as st

from stage2fuzz.case.case import Case
from stage2fuzz.case.limits import (
    IPA_BITS,
    MAX_CACHE_PAGES,
    MAX_CHOICE,
    MAX_FAILING_ALLOC,
    MAX_FAILING_TOPUP,
    normal,
    schedulable,
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
    Backing,
    Host,
    HostOp,
    HostPage,
    Op,
    Options,
    Scenario,
    Slot,
    Tlb,
)
from stage2fuzz.schedule.base import FOREVER, Schedule

ENGINES = ("model:v5.10", "model:v5.10+p1+p3", "model:series-v1", "kernel:next-20201210")

slots = st.builds(
    Slot,
    st.sampled_from(SLOT_PAGES),
    st.sampled_from(Backing),
    st.booleans(),
    st.booleans(),
    st.sampled_from((0, *SKEWS)),
    st.sampled_from(SLOT_FIRSTS),
)
accesses = st.builds(
    Access,
    st.sampled_from(ACCESS_KINDS),
    st.sampled_from([s * SLOT_STRIDE + place for s in range(MAX_SLOTS) for place in PLACES]),
)
options = st.builds(
    Options,
    st.sampled_from(IPA_BITS),
    st.sampled_from(Tlb),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(0, MAX_CACHE_PAGES),
    st.integers(0, MAX_FAILING_TOPUP),
    st.booleans(),
    st.booleans(),
    manual_protect=st.booleans(),
    initially_set=st.booleans(),
    dirty_ring=st.booleans(),
    mte=st.booleans(),
    vhe=st.booleans(),
    nested=st.integers(0, MAX_NESTED),
    vncr=st.booleans(),
    failing_alloc=st.integers(0, MAX_FAILING_ALLOC),
)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Scenarios within every limit."""
    some = tuple(draw(st.lists(slots, min_size=1, max_size=MAX_SLOTS)))
    pages = [
        number * SLOT_STRIDE + place
        for number, slot in enumerate(some)
        for place in PLACES
        if slot.first <= place < slot.first + slot.pages
    ]
    operation = st.builds(
        HostOp, st.sampled_from(Op), st.sampled_from(pages), st.sampled_from(RANGE_PAGES)
    )
    exceptions = st.builds(
        HostPage, st.sampled_from(pages), st.sampled_from([h for h in Host if h is not Host.RW])
    )
    program = st.lists(accesses, min_size=1, max_size=MAX_ACCESSES).map(tuple)
    operations = st.lists(operation, min_size=1, max_size=MAX_HOST_OPS).map(tuple)
    return Scenario(
        some,
        tuple(draw(st.lists(program, min_size=1, max_size=MAX_VCPUS))),
        tuple(draw(st.lists(operations, max_size=MAX_HOST_THREADS))),
        tuple(draw(st.lists(exceptions, max_size=MAX_HOST_PAGES, unique_by=lambda one: one.page))),
        draw(options),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Cases within every limit, their schedules in normal form."""
    scenario = draw(scenarios())
    points = st.one_of(st.integers(1, 300), st.integers(1, 20_000), st.just(FOREVER))
    run = st.tuples(st.integers(0, schedulable(scenario) - 1), points)
    schedule = Schedule(
        tuple(draw(st.lists(run, max_size=40))),
        tuple(draw(st.lists(st.integers(0, MAX_CHOICE), max_size=40))),
    )
    return Case(draw(st.sampled_from(ENGINES)), scenario, normal(schedule))
