"""On the real engine, what any strategy executed replays event for event."""

from random import Random

import pytest

from stage2fuzz.case.codec import decode
from stage2fuzz.model.engine import ModelEngine
from stage2fuzz.model.revision import parse_revision
from stage2fuzz.schedule import STRATEGIES, strategy
from stage2fuzz.schedule.base import Scheduler
from stage2fuzz.schedule.replay import Replay


@pytest.mark.parametrize("name", STRATEGIES)
def test_what_was_executed_replays_event_for_event(name: str) -> None:
    engine, random = ModelEngine(parse_revision("v5.10")), Random(name)
    for seed in range(60):
        scenario = decode(random.randbytes(60), "model:v5.10").scenario
        made: Scheduler = strategy(name, seed)
        first = engine.run(scenario, made)
        events = list(first.events)
        replay = Replay(first.schedule)
        second = engine.run(scenario, replay)
        assert second.events == events
        assert second.schedule == first.schedule
        assert second.preemptions == first.preemptions
        assert not replay.diverged
