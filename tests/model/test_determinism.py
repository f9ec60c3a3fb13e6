"""The same case gives the same events, whoever runs it and how often."""

import os
import subprocess
import sys
from hashlib import sha256
from random import Random

from stage2fuzz.model.engine import ModelEngine
from stage2fuzz.model.eras import ERAS
from stage2fuzz.model.revision import parse_revision
from stage2fuzz.schedule.replay import Replay
from tests.model.scenarios import any_scenario, any_schedule

REVISIONS = tuple(ERAS)


def digest(runs: int = 120) -> str:
    """Everything that ``runs`` runs of mixed revisions recorded, as one number."""
    engines = [ModelEngine(parse_revision(name)) for name in REVISIONS]
    total = sha256()
    for number in range(runs):
        draw = Random(number)
        scenario = any_scenario(draw)
        schedule = any_schedule(draw, scenario.threads)
        trace = engines[number % len(engines)].run(scenario, Replay(schedule))
        total.update(repr((trace.events, trace.schedule)).encode())
    return total.hexdigest()


def test_events_do_not_depend_on_the_hash_seed_or_the_process() -> None:
    here = digest()
    script = "from tests.model.test_determinism import digest; print(digest())"
    for seed in ("0", "1", "random"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == here


def test_the_executed_schedule_replays_to_the_same_events() -> None:
    engine = ModelEngine(parse_revision("v5.10"))
    for number in range(300):
        draw = Random(number)
        scenario = any_scenario(draw)
        first = engine.run(scenario, Replay(any_schedule(draw, scenario.threads)))
        replay = Replay(first.schedule)
        second = engine.run(scenario, replay)
        assert second.events == first.events
        assert second.schedule == first.schedule
        assert replay.diverged == ""


def test_a_run_does_not_see_the_runs_before_it() -> None:
    used, fresh = ModelEngine(parse_revision("v5.12")), []
    scenarios = [any_scenario(Random(number)) for number in range(40)]
    for number, scenario in enumerate(scenarios):
        schedule = any_schedule(Random(number), scenario.threads)
        fresh.append(ModelEngine(parse_revision("v5.12")).run(scenario, Replay(schedule)).events)
    for number, scenario in reversed(list(enumerate(scenarios))):
        schedule = any_schedule(Random(number), scenario.threads)
        assert used.run(scenario, Replay(schedule)).events == fresh[number]
