"""Under the fair wrapper nobody who can go is starved by a thread that only yields."""

from stage2fuzz.events import STORE
from stage2fuzz.schedule.base import FOREVER, Run, View
from stage2fuzz.schedule.breaker import Breaker
from stage2fuzz.schedule.fair import Fair
from stage2fuzz.schedule.random_walk import RandomWalk
from tests.schedule.programs import X, straight
from tests.schedule.toy import YIELD, Program, Thread, World, run


class Stubborn:
    """Always the lowest thread: the least fair scheduler there is."""

    def begin(self, threads: int) -> None:
        """Nothing to prepare."""

    def next(self, view: View) -> Run:
        """The lowest thread for ever."""
        return view.enabled[0], FOREVER

    def choose(self, options: int) -> int:
        """The wildest."""
        return options - 1


def waiter(threads: int) -> Program:
    def program(world: World) -> list[Thread]:
        def spin() -> Thread:
            while len(world.trace) < threads - 1:
                yield YIELD
                yield STORE, X

        def work(me: int) -> Thread:
            yield STORE, X
            world.trace.append(me)

        return [spin(), *[work(me) for me in range(1, threads)]]

    return program


def test_an_unfair_strategy_starves_and_the_wrapper_ends_that() -> None:
    program = waiter(3)
    starved = run(program, Stubborn())
    assert len(starved.steps) > 5_000
    fair = run(program, Fair(Stubborn()))
    assert sorted(fair.trace) == [1, 2]
    assert len(fair.steps) < 12


def test_a_longer_period_gives_way_later() -> None:
    program = waiter(2)
    every = len(run(program, Fair(Stubborn())).steps)
    fifth = len(run(program, Fair(Stubborn(), period=5)).steps)
    assert every < fifth < 20


def test_without_yields_the_wrapper_changes_nothing() -> None:
    for seed in range(20):
        bare = run(straight(3, 3, 3), RandomWalk(seed))
        assert run(straight(3, 3, 3), Fair(RandomWalk(seed))).steps == bare.steps


def test_the_adversary_under_the_wrapper_still_lets_everyone_finish() -> None:
    for seed in range(50):
        result = run(waiter(4), Fair(Breaker(seed)))
        assert sorted(result.trace) == [1, 2, 3]
