"""The machine under the model: points, blocking, deadlock, abandoned and failing threads."""

import pytest

from stage2fuzz.events import (
    DEADLOCK,
    DMB_ISHST,
    DRAIN,
    DSB_ISH,
    LIMIT,
    LOCK,
    ORDER_PLAIN,
    ORDER_RELEASE,
    STORE,
)
from stage2fuzz.model.machine.memory import Memory, drain_candidates
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.schedule.random_walk import RandomWalk
from stage2fuzz.schedule.replay import Replay

ENTRY, OTHER = 0x1000, 0x1008


def machine(pes: int, pending: bool = False) -> Memory:
    memory = Memory()
    memory.reset_memory(pes, pending)
    return memory


def test_a_thread_is_switched_before_the_access_it_announces() -> None:
    memory = machine(2)
    bodies = [lambda: memory.store(ENTRY, 1), lambda: memory.store(ENTRY, 2)]
    memory.execute(bodies, Replay(Schedule(((1, 2), (0, 2)))), 0)
    stores = [event for event in memory.events if event[0] == STORE]
    assert [(event[1], event[3], event[4]) for event in stores] == [(1, 0, 2), (0, 2, 1)]


def test_two_locks_in_opposite_orders_are_a_deadlock_that_names_who_waits() -> None:
    memory = machine(2)

    def take(first: int, second: int) -> None:
        memory.lock(first)
        memory.lock(second)

    bodies = [lambda: take(1, 2), lambda: take(2, 1)]
    ended = memory.execute(bodies, Replay(Schedule(((0, 2), (1, 2)))), 0)
    assert ended == "deadlock"
    assert memory.events[-1][0] == DEADLOCK
    assert memory.events[-1][5] == 0b11


def test_shared_lockers_meet_and_an_exclusive_one_waits_for_both() -> None:
    memory = machine(3)

    def reader() -> None:
        memory.lock(1, 1)
        memory.store(ENTRY, 1)
        memory.unlock(1, 1)

    def writer() -> None:
        memory.lock(1)
        memory.unlock(1)

    runs = ((0, 2), (1, 2), (2, 2), (0, 2), (1, 2))
    assert memory.execute([reader, reader, writer], Replay(Schedule(runs)), 0) == "finished"
    lockers = [event[1] for event in memory.events if event[0] == LOCK]
    assert lockers == [0, 1, 2]


def test_an_exception_of_a_thread_is_raised_and_the_pool_survives_it() -> None:
    memory = machine(2)

    def fail() -> None:
        memory.store(ENTRY, 1)
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        memory.execute([fail, lambda: memory.store(OTHER, 1)], Replay(Schedule()), 0)
    memory.reset_memory(2, False)
    assert memory.execute([lambda: memory.store(OTHER, 1)] * 2, Replay(Schedule()), 0) == "finished"


def test_a_run_without_end_is_given_up_as_inconclusive() -> None:
    memory = machine(1)

    def spin() -> None:
        while True:
            memory.store(ENTRY, 1)
            memory.yield_()

    assert memory.execute([spin], RandomWalk(1), 0) == "limit"
    assert memory.events[-1][0] == LIMIT


def test_stores_to_one_entry_drain_in_order_and_a_release_waits_for_all_older_ones() -> None:
    plain = [(ENTRY, 1, ORDER_PLAIN), (ENTRY, 2, ORDER_PLAIN), (OTHER, 3, ORDER_PLAIN)]
    assert drain_candidates(plain) == [0, 2]
    assert drain_candidates([(ENTRY, 1, ORDER_PLAIN), (OTHER, 2, ORDER_RELEASE)]) == [0]
    assert drain_candidates([(OTHER, 2, ORDER_RELEASE), (ENTRY, 1, ORDER_PLAIN)]) == [0, 1]


def test_a_barrier_orders_pending_stores_and_a_dsb_waits_for_them() -> None:
    memory = machine(1, pending=True)

    def body() -> None:
        memory.store(ENTRY, 1)
        memory.dsb(DMB_ISHST)
        memory.store(OTHER, 2)
        assert memory.visible(ENTRY) == 0
        assert memory.load(ENTRY) == 1
        memory.dsb(DSB_ISH)
        assert memory.visible(OTHER) == 2

    memory.execute([body], Replay(Schedule()), 1)
    drained = [event[2] for event in memory.events if event[0] == DRAIN]
    assert drained == [ENTRY, OTHER]
