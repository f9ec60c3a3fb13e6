"""The adversary finds the stall that a random walk hardly ever stays in."""

from stage2fuzz.arch import EXECUTE, WRITE
from stage2fuzz.case.scenario import Access, Scenario
from stage2fuzz.run import run_scheduled
from stage2fuzz.schedule import strategy

RACE = Scenario(vcpus=((Access(EXECUTE, 0),), (Access(WRITE, 0),)))


def stalls(revision: str, name: str, runs: int) -> int:
    made = strategy(name, 1)
    outcomes = (run_scheduled(f"model:{revision}", RACE, made) for _ in range(runs))
    return sum(any(v.oracle == "G1" for v in outcome.violations) for outcome in outcomes)


def test_the_breaker_finds_the_stall_in_many_runs_and_a_random_walk_in_next_to_none() -> None:
    assert stalls("v5.10", "breaker", 60) > 6
    assert stalls("v5.10", "random", 200) < 3


def test_where_the_race_is_repaired_the_breaker_finds_no_stall() -> None:
    assert stalls("v5.12", "breaker", 200) == 0
