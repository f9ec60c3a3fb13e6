"""The series, told by the tool: what each revision shows, and what it no longer shows."""

import pytest

from stage2fuzz.run import run
from stage2fuzz.studies.series import FAULTS, SeriesFault, first_difference, shows, tell

BY_NAME = {fault.name: fault for fault in FAULTS}
PERMISSION, BREAK, WINDOW, LOOP_A, LOOP_B, DIRTY = FAULTS
SHOWN = [
    ("v5.10", PERMISSION),
    ("v5.10", BREAK),
    ("v5.10", WINDOW),
    ("v5.10", LOOP_A),
    ("v5.10", LOOP_B),
    ("v5.10+p2", DIRTY),
    ("v5.10+p3", PERMISSION),
    ("v5.10+p3", LOOP_B),
    ("series-v1", PERMISSION),
]
GONE = [
    ("v5.10", DIRTY),
    ("series-v4", DIRTY),
    ("v5.10+p2", PERMISSION),
    ("v5.10+p2", BREAK),
    ("v5.10+p2", WINDOW),
    ("v5.10+p2", LOOP_A),
    ("v5.10+p2", LOOP_B),
    ("v5.10+p3", DIRTY),
    ("series-v4", PERMISSION),
    ("series-v4", LOOP_B),
    *(("series-v2", fault) for fault in FAULTS),
    *(("v5.12", fault) for fault in FAULTS),
]


@pytest.mark.parametrize(("revision", "fault"), SHOWN)
def test_a_fault_is_found_and_its_first_case_replays(revision: str, fault: SeriesFault) -> None:
    cell = tell(revision, fault, 60)
    assert cell.violations
    assert cell.first is not None
    assert shows(run(cell.first), fault.rule)


@pytest.mark.parametrize(("revision", "fault"), GONE)
def test_a_fault_is_gone(revision: str, fault: SeriesFault) -> None:
    assert tell(revision, fault, 60).violations == 0


def test_patch_1_changes_no_event() -> None:
    assert first_difference("v5.10", "v5.10+p1", 1500) == 0


def test_the_comparison_does_see_a_difference() -> None:
    assert first_difference("v5.10", "v5.10+p2", 1500) > 0


@pytest.mark.slow
def test_patch_1_changes_no_event_in_a_hundred_thousand_schedules() -> None:
    assert first_difference("v5.10", "v5.10+p1", 100_000) == 0


@pytest.mark.slow
@pytest.mark.parametrize("one", ["series-v2"])
def test_the_merged_revision_is_the_series_by_another_name(one: str) -> None:
    assert first_difference(one, "v5.12", 20_000) == 0
