"""Whatever a pass proposes is a case, or is refused before it runs."""

from itertools import islice

import pytest
from hypothesis import given, settings

from stage2fuzz.case.case import Case
from stage2fuzz.case.limits import check_case
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.errors import InputError
from stage2fuzz.minimise import PASSES, Pass, Recurrence, minimise
from stage2fuzz.minimise.door import Door
from tests.case.case_strategies import cases

MOST = 120
"""Candidates of one pass that are looked at; the first ones of each kind are among them."""


def invalid(candidate: Case) -> bool:
    try:
        check_case(candidate, "candidate")
    except InputError:
        return True
    return False


@pytest.mark.parametrize("shorten", PASSES, ids=lambda each: each.__name__)
@settings(max_examples=30, deadline=None)
@given(case=cases())
def test_a_candidate_of_any_pass_is_valid_or_never_run(shorten: Pass, case: Case) -> None:
    """The predicate, which stands for the engine, gets nothing that ``check_case`` refuses."""
    ran: list[Case] = []

    def same(candidate: Case) -> Recurrence | None:
        assert not invalid(candidate)
        ran.append(candidate)
        return Recurrence(candidate.schedule, 0) if len(ran) == 1 else None

    for candidate in islice(shorten(case, case.schedule), MOST):
        ran.clear()
        door = Door(same, budget=10)
        assert door.enter(case)
        door.simpler(candidate)
        assert len(ran) == 1 + (candidate != case and not invalid(candidate))


@settings(max_examples=25, deadline=None)
@given(case=cases())
def test_what_is_kept_can_be_written_and_read_again(case: Case) -> None:
    """Every candidate shows the fault: the passes go as far as they can."""

    def same(candidate: Case) -> Recurrence | None:
        assert not invalid(candidate)
        return Recurrence(candidate.schedule, 0)

    small = minimise(case, same, budget=200).case
    assert parse(format_case(small), "small").scenario == small.scenario
