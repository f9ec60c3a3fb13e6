"""Replay follows a schedule as far as it goes, says where it could not, and ends fairly."""

import pytest

from stage2fuzz.events import LOCK, STORE, UNLOCK
from stage2fuzz.schedule import STRATEGIES, strategy
from stage2fuzz.schedule.base import FOREVER, Schedule
from stage2fuzz.schedule.replay import Replay
from tests.schedule.programs import X, abba, lost_update, straight, three_orders, window
from tests.schedule.toy import YIELD, Program, Thread, World, run


def spinners(world: World) -> list[Thread]:
    """Two threads that yield until the other has done its step."""

    def spin(me: int) -> Thread:
        yield STORE, X
        world.memory[me] = 1
        while not world.memory.get(1 - me):
            yield YIELD
            yield STORE, X
        world.trace.append(me)

    return [spin(0), spin(1)]


def picky(world: World) -> list[Thread]:
    def thread(me: int) -> Thread:
        yield STORE, X
        world.trace.append((me, world.choose(3)))
        yield STORE, X
        world.trace.append((me, world.choose(2)))

    return [thread(0), thread(1)]


PROGRAMS: list[Program] = [lost_update, window(3), abba(2), three_orders, spinners, picky]


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_was_executed_replays_step_for_step(name: str, program: Program) -> None:
    made = strategy(name, 5)
    for _ in range(40):
        first = run(program, made)
        again = Replay(first.schedule)
        second = run(program, again)
        assert second.steps == first.steps
        assert second.trace == first.trace
        assert second.schedule == first.schedule
        assert second.preemptions == first.preemptions
        assert not again.divergence()


def test_a_run_whose_thread_cannot_go_is_skipped_and_named() -> None:
    def program(world: World) -> list[Thread]:
        def taker() -> Thread:
            yield LOCK, X
            yield STORE, X
            yield UNLOCK, X

        return [taker(), taker()]

    replay = Replay(Schedule(((0, 2), (1, 1), (7, 3), (0, 1), (1, 3))))
    result = run(program, replay)
    assert [step[0] for step in result.steps] == [0, 0, 0, 1, 1, 1]
    assert replay.diverged == "run 1: thread 1 could not run"


def test_a_run_that_is_too_long_is_named() -> None:
    replay = Replay(Schedule(((0, 9), (1, 2))))
    run(straight(2, 2), replay)
    assert replay.diverged == "run 0: stopped 7 points early"


def test_a_choice_too_high_becomes_the_last_and_is_named() -> None:
    replay = Replay(Schedule((), (1, 5)))
    result = run(picky, replay)
    assert [chosen for _, chosen in result.trace] == [1, 1, 0, 0]
    assert replay.diverged == "choice 1: 5 of 2"


def test_a_run_without_a_limit_is_followed_whenever_it_stops() -> None:
    replay = Replay(Schedule(((0, FOREVER), (1, FOREVER))))
    run(straight(2, 2), replay)
    assert replay.divergence() == ""


def test_what_the_list_still_holds_at_the_end_is_named() -> None:
    replay = Replay(Schedule(((0, 2), (1, 2), (0, 1))))
    run(straight(2, 2), replay)
    assert replay.divergence() == "run 2: the run was over before"
    replay = Replay(Schedule((), (1, 1, 1, 1, 1)))
    run(picky, replay)
    assert replay.divergence() == "choice 4: never asked for"


def test_nothing_asked_for_means_one_thread_after_the_other() -> None:
    result = run(straight(2, 3, 1), Replay(Schedule()))
    assert result.trace == [0, 0, 1, 1, 1, 2]
    assert result.preemptions == 0


def test_the_end_is_fair_to_those_a_yield_waits_for() -> None:
    result = run(spinners, Replay(Schedule(((0, 1),))))
    assert len(result.trace) == 2
    assert len(result.steps) < 6


def test_a_yield_does_not_end_a_run_that_has_points_left() -> None:
    result = run(spinners, Replay(Schedule(((0, 4), (1, 1)))))
    assert result.schedule.runs[0] == (0, 4)
