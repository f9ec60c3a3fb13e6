"""Scenarios, and schedules drawn from a seed, that the engine's tests share."""

from random import Random

from stage2fuzz.arch import ACCESS_NAMES, EXECUTE, READ, WRITE
from stage2fuzz.case.limits import check_scenario
from stage2fuzz.case.scenario import (
    ACCESS_KINDS,
    PLACES,
    RANGE_PAGES,
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
from stage2fuzz.engine import Trace
from stage2fuzz.errors import InputError
from stage2fuzz.events import Event
from stage2fuzz.model.engine import ModelEngine
from stage2fuzz.model.revision import parse_revision
from stage2fuzz.schedule.base import Run, Schedule
from stage2fuzz.schedule.replay import Replay

EDGES = 8
"""The first places lie at the edges of blocks; a scenario mostly names few, so threads meet."""
MAP_RACE = Scenario(slots=(Slot(logging=True),), vcpus=((Access(WRITE, 0),), (Access(READ, 0),)))
REFERENCE = Scenario(
    slots=(Slot(logging=True),),
    vcpus=(
        (Access(WRITE, 0), Access(WRITE, 0)),
        (Access(READ, 0), Access(READ, 0)),
        (Access(EXECUTE, 0), Access(READ, 0)),
    ),
)


def trace(revision: str, scenario: Scenario, *runs: Run) -> Trace:
    """One run of the model."""
    return ModelEngine(parse_revision(revision)).run(scenario, Replay(Schedule(runs)))


def events_of(kind: int, events: list[Event]) -> list[Event]:
    """The events of one kind."""
    return [event for event in events if event[0] == kind]


def any_scenario(draw: Random) -> Scenario:
    """Any scenario at all, small enough to run in a millisecond."""
    while True:
        scenario = _drawn(draw)
        try:
            check_scenario(scenario, "drawn")
        except InputError:
            continue  # a host operation named a page of no slot
        return scenario


def _drawn(draw: Random) -> Scenario:
    slots = tuple(
        Slot(
            draw.choice(SLOT_PAGES),
            Backing(draw.randrange(4)),
            draw.random() < 0.15,
            draw.random() < 0.5,
            draw.random() < 0.1,
            draw.choice((0, 0, 0, *SLOT_FIRSTS)),
            hugetlb=draw.random() < 0.15,
            contiguous=draw.random() < 0.1,
        )
        for _ in range(draw.choice((1, 1, 2)))
    )

    near = draw.sample(PLACES[:EDGES], draw.choice((1, 2, EDGES)))

    def page() -> int:
        places = near if draw.random() < 0.8 else PLACES
        return draw.randrange(len(slots)) * SLOT_STRIDE + draw.choice(places)

    vcpus = tuple(
        tuple(Access(_kind(draw), page()) for _ in range(draw.randrange(1, 4)))
        for _ in range(draw.randrange(1, 5))
    )
    hosts = tuple(
        tuple(
            HostOp(draw.choice(list(Op)), page(), draw.choice(RANGE_PAGES))
            for _ in range(draw.randrange(1, 4))
        )
        for _ in range(draw.randrange(3))
    )
    pages = {page() for _ in range(draw.randrange(3))}
    host_pages = tuple(
        HostPage(each, draw.choice(list(Host)))
        for each in sorted(pages)
        if _holds(slots[each // SLOT_STRIDE], each % SLOT_STRIDE)
    )
    options = Options(
        draw.choice((40, 48)),
        draw.choice(list(Tlb)),
        draw.random() < 0.3,
        draw.random() < 0.3,
        draw.random() < 0.3,
        draw.random() < 0.3,
        draw.choice((0, 0, 1, 2)),
        draw.choice((0, 0, 1, 2)),
        draw.random() < 0.5,
        draw.random() < 0.1,
        manual_protect=draw.random() < 0.1,
        initially_set=draw.random() < 0.1,
        vhe=draw.random() < 0.1,
        failing_alloc=draw.choice((0, 0, 0, 1, 2)),
    )
    return Scenario(slots, vcpus, hosts, host_pages, options)


def _kind(draw: Random) -> int:
    """A plain access mostly."""
    return draw.choice(list(ACCESS_NAMES) if draw.random() < 0.8 else ACCESS_KINDS)


def _holds(slot: Slot, place: int) -> bool:
    return slot.first <= place < slot.first + slot.pages


def any_schedule(draw: Random, threads: int) -> Schedule:
    """Twenty runs and a few choices."""
    runs = tuple((draw.randrange(threads), draw.randrange(1, 30)) for _ in range(20))
    return Schedule(runs, tuple(draw.randrange(3) for _ in range(8)))
