"""Each strategy has the probabilities its paper promises, on programs with known answers."""

from collections import Counter
from math import comb, sqrt
from typing import Any

import pytest

from stage2fuzz.errors import InputError
from stage2fuzz.schedule import strategy
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.schedule.dependence import shared_location
from stage2fuzz.schedule.replay import Replay
from tests.schedule.programs import (
    X,
    Y,
    abba,
    far_read,
    lost_update,
    reorder,
    straight,
    three_orders,
    window,
)
from tests.schedule.toy import Program, run

LOCKS = (shared_location((40, X)), shared_location((40, Y)))
A, B, C3, D, F = lost_update, window(10), reorder(3), abba(10), far_read(100)

#: program, strategy, options, probability of the bug, standard error of that figure itself
#: (0 where it is exact, else that of the 40,000 or 400,000 runs it was measured with).
GOLDEN: list[tuple[Program, str, dict[str, Any], float, float]] = [
    (A, "random", {}, 1 / 2, 0),
    (A, "pct", {"depth": 2}, 1 / 4, 0),
    (A, "pct", {"depth": 3}, 5 / 12, 0),
    (A, "pos", {}, 1 / 3, 0),
    (A, "surw", {"interesting": "everything"}, 2 / 3, 0),
    (A, "surw", {"locations": (X,)}, 2 / 3, 0),
    (B, "random", {}, 0.043, 0.001),
    (B, "pct", {"depth": 2}, 0.012, 0.0006),
    (B, "pct", {"depth": 3}, 0.017, 0.0007),
    (B, "pos", {}, 0.028, 0.0009),
    (B, "surw", {"interesting": "everything"}, 0.059, 0.0012),
    (B, "surw", {"locations": (X, Y)}, 1 / 6, 0),
    (C3, "random", {}, 0.221, 0.0021),
    (C3, "pct", {"depth": 2}, 0.062, 0.0012),
    (C3, "pct", {"depth": 3}, 0.125, 0.0017),
    (C3, "pos", {}, 0.286, 0.0023),
    (C3, "surw", {"interesting": "everything"}, 0.272, 0.0023),
    (D, "random", {}, 0.170, 0.0019),
    (D, "pct", {"depth": 2}, 0.036, 0.001),
    (D, "pct", {"depth": 3}, 0.044, 0.001),
    (D, "pos", {}, 0.043, 0.001),
    (D, "surw", {"interesting": "everything"}, 0.348, 0.0024),
    (D, "surw", {"locations": LOCKS}, 0.572, 0.0025),
    (F, "pct", {"depth": 2}, 0.0053, 0.0004),
    (F, "surw", {"interesting": "everything"}, 1 / 101, 0),
    (three_orders, "random", {}, 0.0011, 0.00006),
    (three_orders, "pct", {"depth": 3}, 0.0031, 0.0001),
    (three_orders, "pos", {}, 0.0073, 0.00014),
]


def length(program: Program) -> int:
    return len(run(program, Replay(Schedule())).steps)


def rate(program: Program, name: str, options: dict[str, Any], runs: int) -> float:
    if name == "pct":
        options = {"steps": length(program), **options}
    made = strategy(name, 1, **options)
    if name == "surw":
        for _ in range(5):
            run(program, made)
    results = (run(program, made) for _ in range(runs))
    return sum(result.bug or result.deadlock for result in results) / runs


def assert_golden(golden: tuple[Program, str, dict[str, Any], float, float], runs: int) -> None:
    program, name, options, expected, error = golden
    margin = 4 * sqrt(expected * (1 - expected) / runs + error**2)
    assert rate(program, name, options, runs) == pytest.approx(expected, abs=margin)


@pytest.mark.parametrize("golden", [g for g in GOLDEN if g[3] > 0.02])
def test_a_strategy_hits_a_bug_as_often_as_its_paper_says(golden: Any) -> None:
    assert_golden(golden, 1_500)


@pytest.mark.slow
@pytest.mark.parametrize("golden", GOLDEN)
def test_the_golden_numbers_hold_at_length(golden: Any) -> None:
    assert_golden(golden, 20_000)


def chi_square(lengths: tuple[int, int], name: str, options: dict[str, Any], each: int) -> float:
    classes = comb(sum(lengths), lengths[0])
    made = strategy(name, 2, **options)
    program = straight(*lengths)
    run(program, made)
    seen = Counter(tuple(run(program, made).trace) for _ in range(classes * each))
    missing = (classes - len(seen)) * each
    return missing + sum((count - each) ** 2 / each for count in seen.values())


@pytest.mark.parametrize("options", [{"interesting": "everything"}, {"locations": (X,)}])
def test_surw_is_uniform_over_interleavings(options: dict[str, Any]) -> None:
    # 19 degrees of freedom: 43.8 is passed once in a thousand by a uniform sampler.
    assert chi_square((3, 3), "surw", options, 200) < 43.8


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"interesting": "everything"}, {"locations": (X,)}])
def test_surw_is_uniform_over_the_seventy_interleavings(options: dict[str, Any]) -> None:
    assert chi_square((4, 4), "surw", options, 1000) < 111.1


def test_a_random_walk_is_far_from_uniform() -> None:
    assert chi_square((4, 4), "random", {}, 100) > 2_000


def test_noise_does_not_change_what_surw_finds() -> None:
    quiet = rate(window(0), "surw", {"locations": (X, Y)}, 800)
    noisy = rate(window(40), "surw", {"locations": (X, Y)}, 800)
    assert quiet == pytest.approx(noisy, abs=0.07)


def test_surw_selects_what_is_contended_by_itself() -> None:
    assert rate(window(20), "surw", {"interesting": "shared"}, 1_500) > 0.12


def test_pct_reaches_the_order_that_demoting_to_the_bottom_makes_impossible() -> None:
    assert rate(three_orders, "pct", {"depth": 3}, 8_000) > 0


def test_pct_keeps_its_promise_where_others_find_nothing() -> None:
    bound = 1 / (2 * 101)
    assert rate(F, "pct", {"depth": 2}, 4_000) > bound / 2
    assert rate(F, "random", {}, 200) == 0
    assert rate(F, "pos", {}, 200) == 0


def test_pct_measures_the_length_that_was_not_given() -> None:
    made = strategy("pct", 3, depth=2)
    hits = sum(run(lost_update, made).bug for _ in range(2_000))
    assert hits > 20


@pytest.mark.parametrize("name", ["random", "pct", "pos", "surw", "breaker"])
def test_a_seed_gives_one_sequence_of_schedules(name: str) -> None:
    def sequence(seed: int) -> list[Schedule]:
        made = strategy(name, seed)
        return [run(window(5), made).schedule for _ in range(30)]

    assert sequence(7) == sequence(7)
    assert sequence(7) != sequence(8)


def test_an_unknown_strategy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="known are random, pct, pos, surw, breaker"):
        strategy("chess", 0)


def test_an_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="depht"):
        strategy("pct", 0, depht=2)


def test_an_unknown_selection_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="one, shared, everything"):
        strategy("surw", 0, interesting="some")
