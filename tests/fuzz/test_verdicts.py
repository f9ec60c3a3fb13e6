"""What the harness remembers is what the oracles would say again."""

from stage2fuzz.case.scenario import Scenario
from stage2fuzz.fuzz import verdicts as module
from stage2fuzz.fuzz.greybox import Greybox
from stage2fuzz.fuzz.harness import Harness
from stage2fuzz.fuzz.verdicts import Verdicts
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.run import run
from stage2fuzz.schedule.base import Schedule


def test_a_remembered_verdict_is_what_a_new_judgement_says() -> None:
    harness = Harness("model:v5.10", "map_race")
    loop = Greybox(harness, 4)
    loop.fuzz((), 0, 60)
    for data, _fresh in loop.corpus:
        before = harness.portfolio.judged
        outcomes = harness.one_input(data)
        assert harness.portfolio.judged == before
        for outcome in outcomes:
            assert run(outcome.case).violations == outcome.violations
    assert harness.signatures


def test_another_schedule_or_scenario_is_judged() -> None:
    known, asked = Verdicts(), []

    def judged() -> tuple[Violation, ...]:
        asked.append(1)
        return ()

    other = Scenario(vcpus=Scenario().vcpus * 2)
    for scenario in (Scenario(), other, Scenario()):
        for runs in (((0, 1),), ((0, 2),)):
            known.of(scenario, Schedule(runs), judged)
    assert (len(asked), known.remembered) == (4, 2)


def test_what_is_remembered_is_bounded() -> None:
    known = Verdicts()
    for points in range(1, module.MOST + 2):
        known.of(Scenario(), Schedule(((0, points),)), tuple)
    known.of(Scenario(), Schedule(((0, module.MOST + 1),)), tuple)
    known.of(Scenario(), Schedule(((0, 1),)), tuple)
    assert known.remembered == 1
