"""Dependence is symmetric, generous, and exact where exactness is safe."""

from itertools import product

import pytest

from stage2fuzz.events import (
    ACCESS,
    ALLOC,
    DSB,
    INVALIDATE_BEGIN,
    KINDS,
    LOAD,
    LOCK,
    PIN,
    SEQ_READ,
    STORE,
    TLBI,
    UNLOCK,
    WALK,
)
from stage2fuzz.schedule.dependence import ENDED, dependent, races

NOT_BEGUN = (0, 0)
"""What ``View.pending`` has of a thread whose next step nobody knows."""
ENTRY, OTHER = 0x1000_2000, 0x1000_3000


def test_order_of_the_arguments_does_not_matter() -> None:
    steps = [(kind, where) for kind in KINDS for where in (ENTRY, OTHER)]
    for first, second in product(steps, steps):
        assert dependent(first, second) == dependent(second, first)


@pytest.mark.parametrize("kind", [k for k in KINDS if (k, 0) != ENDED])
def test_an_unknown_step_depends_on_every_other_but_races_with_none(kind: int) -> None:
    assert dependent(NOT_BEGUN, (kind, ENTRY))
    assert not races(NOT_BEGUN, (kind, ENTRY))


@pytest.mark.parametrize("kind", KINDS)
def test_a_thread_that_ended_disturbs_nobody(kind: int) -> None:
    assert not dependent(ENDED, (kind, 0))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((LOAD, ENTRY), (WALK, ENTRY), False),
        ((STORE, ENTRY), (WALK, ENTRY), True),
        ((STORE, ENTRY), (WALK, OTHER), False),
        ((STORE, ENTRY), (STORE, ENTRY), True),
        ((ALLOC, ENTRY), (WALK, ENTRY + 8), True),
        ((ALLOC, ENTRY), (WALK, OTHER), False),
        ((TLBI, ENTRY), (ACCESS, OTHER), True),
        ((DSB, 0), (WALK, ENTRY), True),
        ((TLBI, ENTRY), (STORE, OTHER), True),
        ((LOCK, 1), (LOCK, 1), True),
        ((LOCK, 1), (UNLOCK, 2), False),
        ((LOCK, 1), (STORE, 1), False),
        ((SEQ_READ, 0), (INVALIDATE_BEGIN, ENTRY), True),
        ((SEQ_READ, 0), (SEQ_READ, 0), False),
        ((PIN, ENTRY), (SEQ_READ, 0), True),
    ],
)
def test_what_depends_on_what(
    first: tuple[int, int], second: tuple[int, int], expected: bool
) -> None:
    assert dependent(first, second) is expected
