"""Comparing engines: what means the same is the same, and a real difference is named."""

from random import Random

from stage2fuzz.arch import READ, WRITE
from stage2fuzz.case.scenario import Access, Scenario, Slot
from stage2fuzz.engine import engine_of
from stage2fuzz.run import run
from stage2fuzz.schedule.anchored import AnchoredWalk
from stage2fuzz.studies.anchored import final_leaves, first_difference, meaning
from tests.model.scenarios import any_scenario

RACE = Scenario(slots=(Slot(logging=True),), vcpus=((Access(WRITE, 0),), (Access(READ, 0),)))


def test_an_engine_means_the_same_as_itself() -> None:
    for number in range(60):
        scenario = any_scenario(Random(number))
        assert first_difference("model:v5.10", "model:v5.10", scenario, number) is None


def test_patch_1_changes_no_meaning() -> None:
    for number in range(60):
        scenario = any_scenario(Random(number))
        assert first_difference("model:v5.10", "model:v5.10+p1", scenario, number) is None


def test_patch_2_is_named_as_the_difference_it_is() -> None:
    found = [first_difference("model:v5.10", "model:v5.12", RACE, seed) for seed in range(40)]
    told = {(each.one, each.other) for each in found if each is not None}
    assert any("returned -11" in other for _, other in told), told


def test_the_cases_of_a_difference_replay_it() -> None:
    engines = ("model:v5.10", "model:v5.12")
    found = next(filter(None, (first_difference(*engines, RACE, seed) for seed in range(40))))
    threads = found.scenario.threads
    texts = []
    for case in found.cases(engines):
        told = meaning(run(case).events, threads)[found.topic]
        texts.append(told[found.step - 1] if len(told) >= found.step else "nothing more")
    assert texts == [found.one, found.other]


def test_the_final_table_is_what_the_leaves_say() -> None:
    events = engine_of("model:v5.10").run(RACE, AnchoredWalk(3)).events
    assert [(ipa, level) for ipa, level, _pte in final_leaves(events)] == [(0x4000_0000, 3)]


def test_an_anchored_schedule_is_the_same_on_every_run() -> None:
    engine = engine_of("model:v5.10")
    first = engine.run(RACE, AnchoredWalk(7))
    assert engine.run(RACE, AnchoredWalk(7)).events == first.events
