"""What an engine executed can be kept: as text and as bytes, and it runs again the same."""

import random

import pytest

from stage2fuzz.case.codec import decode, encode
from stage2fuzz.case.limits import normal
from stage2fuzz.case.profile import PROFILES
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.report import markdown, sequence_svg, text
from stage2fuzz.report.columns import scenario_text
from stage2fuzz.run import run, run_scheduled
from stage2fuzz.schedule import STRATEGIES, strategy
from stage2fuzz.schedule.random_walk import RandomWalk

ENGINE = "model:v5.10"


@pytest.mark.parametrize("name", PROFILES)
def test_an_executed_case_runs_again_from_its_text_and_from_its_bytes(name: str) -> None:
    rng = random.Random(name)
    for seed in range(15):
        scenario = decode(rng.randbytes(97), ENGINE, PROFILES[name]).scenario
        outcome = run_scheduled(ENGINE, scenario, RandomWalk(seed))
        kept = parse(format_case(outcome.case), "executed")
        assert kept.schedule == normal(outcome.case.schedule)
        assert decode(encode(outcome.case), ENGINE) == kept
        assert run(kept).events == outcome.events


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_run_that_a_limit_ended_runs_again_to_the_same_end(name: str) -> None:
    rng = random.Random(2)
    ended = set()
    for seed in range(60):
        scenario = decode(rng.randbytes(97), ENGINE, PROFILES["map_race"]).scenario
        outcome = run_scheduled(ENGINE, scenario, strategy(name, seed))
        ended.add(outcome.ended)
        assert run(outcome.case).events == outcome.events
    assert "finished" in ended
    assert name != "breaker" or "limit" in ended


def test_every_run_can_be_reported() -> None:
    rng = random.Random(1)
    for _ in range(40):
        outcome = run(decode(rng.randbytes(140), ENGINE))
        shown = (outcome.case, outcome.events, outcome.violations)
        for full in (False, True):
            report = text(*shown, width=100, full=full)
            steps = report.removeprefix(scenario_text(outcome.case)).splitlines()
            assert max(map(len, steps)) <= 100
        assert markdown(*shown).endswith("```\n")
        assert sequence_svg(*shown).endswith("</svg>\n")
