"""What a comparison says of itself: its exit code, and the same after a trip through JSON."""

import json
from dataclasses import replace

import pytest

from stage2fuzz.arch import READ
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Access, Scenario
from stage2fuzz.studies.comparison import Change, Comparison, Difference, read_comparison

CASE = Case("model:v5.10", Scenario(vcpus=((Access(READ, 0),),)))
COST = Difference(Change.COST, "TLB maintenance", "more", "more TLBIs", 3, 50, CASE, None)


@pytest.mark.parametrize(
    ("runs", "differences", "shortfalls", "code"),
    [
        (10, (), (), 0),
        (10, (COST,), (), 1),
        (10, (COST,), ("it was ended",), 1),
        (10, (), ("it was ended",), 3),
        (0, (), (), 3),
    ],
)
def test_the_exit_code_is_0_only_where_the_work_was_done(
    runs: int, differences: tuple[Difference, ...], shortfalls: tuple[str, ...], code: int
) -> None:
    one = Comparison("model:v5.10", "model:v5.12", runs, 1, 2.0, differences, shortfalls)
    assert one.exit_code == code


@pytest.mark.parametrize("runs", [0, 7])
def test_a_comparison_reads_back_as_it_was_written(runs: int) -> None:
    untried = replace(COST, change=Change.OUTCOME)
    one = Comparison("model:v5.10", "model:v5.12", runs, 1, 2.5, (COST,), ("why not",), (untried,))
    assert read_comparison(json.loads(json.dumps(one.to_record()))) == one


def test_what_there_was_no_time_to_try_is_named_and_no_success() -> None:
    many = [replace(COST, verdict=f"more {number}") for number in range(7)]
    one = Comparison("model:v5.10", "model:v5.12", 10, 1, 2.5, (), (), many)
    assert one.exit_code == 3
    assert one.missing[0] == "not tried to its end: more 0"
    assert one.missing[-1] == "not tried to their end: 2 more"
    assert len(one.missing) == 6
