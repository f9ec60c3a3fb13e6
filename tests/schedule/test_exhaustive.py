"""The search takes every schedule once, or one of each class, and says what it left out."""

from collections.abc import Hashable
from random import Random
from typing import Any

import pytest

from stage2fuzz.errors import ModelError
from stage2fuzz.events import LOAD, LOCK, STORE, TLBI, UNLOCK, WALK
from stage2fuzz.schedule.dependence import dependent
from stage2fuzz.schedule.exhaustive import Coverage, Exhaustive
from tests.schedule.programs import X, Y, abba, lost_update, reorder, straight, three_orders, window
from tests.schedule.toy import YIELD, Program, Result, Thread, World, run


def explore(program: Program, **options: Any) -> tuple[Coverage, list[Result]]:
    search = Exhaustive(**options)
    results = []
    while search.advance():
        results.append(run(program, search))
    return search.coverage, results


def class_of(result: Result) -> Hashable:
    """The order of all dependent steps, and who got stuck: equal where only noise differs."""
    taken: dict[int, int] = {}
    steps = []
    for thread, kind, where in result.steps:
        taken[thread] = taken.get(thread, 0) + 1
        steps.append(((thread, taken[thread]), (kind, where)))
    order = frozenset(
        (first, second)
        for at, (first, step) in enumerate(steps)
        for second, other in steps[at + 1 :]
        if first[0] != second[0] and dependent(step, other)
    )
    return order, frozenset(steps), result.deadlock


def some_program(seed: int) -> Program:
    random = Random(seed)
    threads = random.choice((2, 2, 3))
    bodies = []
    for _ in range(threads):
        body: list[tuple[int, int]] = []
        held: list[int] = []
        for _ in range(random.randint(1, 4 if threads == 2 else 3)):
            kind = random.choice((LOAD, LOAD, STORE, STORE, LOCK, UNLOCK, WALK, TLBI))
            lock = random.choice((1, 2))
            if kind == LOCK and lock not in held:
                held.append(lock)
                body.append((LOCK, lock))
            elif kind == UNLOCK and held:
                body.append((UNLOCK, held.pop()))
            elif kind not in (LOCK, UNLOCK):
                body.append((kind, random.choice((X, Y))))
        bodies.append(body + [(UNLOCK, lock) for lock in reversed(held)])

    def program(world: World) -> list[Thread]:
        return [iterate(body) for body in bodies]

    def iterate(body: list[tuple[int, int]]) -> Thread:
        yield from body

    return program


@pytest.mark.parametrize(
    ("lengths", "count"), [((4, 4), 70), ((8, 2), 45), ((2, 2, 2), 90), ((5,), 1)]
)
def test_every_interleaving_is_taken_once(lengths: tuple[int, ...], count: int) -> None:
    coverage, results = explore(straight(*lengths), reduce=False)
    assert coverage == Coverage(count, 0, True, "")
    assert len({tuple(result.trace) for result in results}) == count


def test_steps_that_all_conflict_leave_nothing_to_reduce() -> None:
    coverage, _ = explore(straight(4, 4))
    assert coverage == Coverage(70, 0, True, "")


@pytest.mark.parametrize(
    ("program", "classes"),
    [(lost_update, 4), (reorder(2), 36), (abba(1), 3), (three_orders, 24), (window(2), 4)],
)
def test_reduction_keeps_one_of_each_class(program: Program, classes: int) -> None:
    reduced, kept = explore(program)
    _, everything = explore(program, reduce=False)
    assert reduced.complete
    assert reduced.executions - reduced.redundant == classes
    assert {class_of(r) for r in kept} == {class_of(r) for r in everything}


def assert_all_classes(seeds: range) -> None:
    for seed in seeds:
        program = some_program(seed)
        full, everything = explore(program, reduce=False, max_executions=20_000)
        if full.complete:
            reduced, kept = explore(program)
            classes = {class_of(result) for result in everything}
            assert {class_of(result) for result in kept} == classes, seed
            assert reduced.executions - reduced.redundant == len(classes), seed


def test_reduction_loses_no_class_of_random_programs() -> None:
    assert_all_classes(range(100))


@pytest.mark.slow
def test_reduction_loses_no_class_of_many_random_programs() -> None:
    assert_all_classes(range(100, 2_000))


@pytest.mark.parametrize(("bound", "count"), [(0, 2), (1, 8), (2, 26), (3, 44), (6, 70)])
def test_a_preemption_bound_is_kept_and_admitted(bound: int, count: int) -> None:
    coverage, results = explore(straight(4, 4), preemptions=bound)
    assert coverage.executions == count
    assert coverage.complete
    assert coverage.cut == ("" if count == 70 else f"{bound} preemptions")
    assert max(result.preemptions for result in results) <= bound


def test_a_limit_that_cut_the_search_is_never_called_complete() -> None:
    coverage, results = explore(straight(4, 4), max_executions=69)
    assert len(results) == 69
    assert not coverage.complete
    assert str(coverage) == "incomplete: 69 executions, cut by 69 executions"


def test_a_limit_that_is_just_enough_is_complete() -> None:
    coverage, _ = explore(straight(4, 4), max_executions=70)
    assert str(coverage) == "complete: 70 executions"


def test_executions_deeper_than_the_limit_are_admitted() -> None:
    coverage, _ = explore(straight(4, 4), max_steps=3)
    assert coverage.complete
    assert str(coverage).endswith("within 3 steps")


@pytest.mark.parametrize("reduce", [True, False])
def test_rare_choices_are_alternatives_like_any_other(reduce: bool) -> None:
    def program(world: World) -> list[Thread]:
        def chooser(me: int) -> Thread:
            yield STORE, 8 * me
            world.trace.append((me, world.choose(3), world.choose(2)))

        return [chooser(0), chooser(1)]

    coverage, results = explore(program, reduce=reduce)
    assert coverage.complete
    assert len({tuple(sorted(result.trace)) for result in results}) == 36
    assert coverage.executions == (36 if reduce else 72)


def test_a_deadlock_is_found_though_nobody_asks_at_its_end() -> None:
    _, results = explore(abba(0))
    assert sum(result.deadlock for result in results) == 1


def test_yields_are_places_to_switch() -> None:
    def program(world: World) -> list[Thread]:
        def yielder(me: int) -> Thread:
            yield STORE, X
            yield YIELD
            yield STORE, X
            world.trace.append(me)

        return [yielder(0), yielder(1)]

    coverage, results = explore(program, reduce=False)
    assert coverage.complete
    assert len({result.steps for result in results}) == 6


def test_a_program_that_changes_between_runs_is_our_bug() -> None:
    search = Exhaustive()
    assert search.advance()
    run(straight(1, 1, 1), search)
    assert search.advance()
    with pytest.raises(ModelError, match="not deterministic"):
        run(straight(0, 1, 1), search)
