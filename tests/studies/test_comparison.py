"""What a comparison says of itself: its exit code, and the same after a trip through JSON."""

import json

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
    one = Comparison("model:v5.10", "model:v5.12", runs, 1, 2.5, (COST,), ("why not",))
    assert read_comparison(json.loads(json.dumps(one.to_record()))) == one
