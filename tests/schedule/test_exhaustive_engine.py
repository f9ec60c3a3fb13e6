"""On the real engine the search of a small race is complete, and no sampler knows more."""

import pytest

from stage2fuzz.arch import READ, WRITE
from stage2fuzz.case.scenario import Access, Scenario
from stage2fuzz.events import Event
from stage2fuzz.model.engine import ModelEngine
from stage2fuzz.model.revision import parse_revision
from stage2fuzz.schedule import STRATEGIES, strategy
from stage2fuzz.schedule.exhaustive import Exhaustive

RACE = Scenario(vcpus=((Access(READ, 0),), (Access(WRITE, 0),)))
Lives = tuple[tuple[Event, ...], ...]


def lives(events: list[Event]) -> Lives:
    """What each thread did and saw: the same for all executions of a class."""
    return tuple(tuple(event for event in events if event[1] == thread) for thread in range(2))


@pytest.mark.parametrize("revision", ["v5.10", "v5.12"])
def test_reduction_misses_nothing_that_sampling_or_a_bounded_search_sees(revision: str) -> None:
    engine = ModelEngine(parse_revision(revision))
    search, kept = Exhaustive(), set[Lives]()
    while search.advance():
        kept.add(lives(engine.run(RACE, search).events))
    assert search.coverage.complete
    assert not search.coverage.cut

    seen = set[Lives]()
    for name in STRATEGIES:
        made = strategy(name, 1)
        seen.update(lives(engine.run(RACE, made).events) for _ in range(300))
    bounded = Exhaustive(preemptions=1)
    while bounded.advance():
        seen.add(lives(engine.run(RACE, bounded).events))
    assert bounded.coverage.complete
    assert seen <= kept
    assert len(kept) > 3
