"""The comparison of strategies counts what was not found, and compares by rank."""

from xml.etree import ElementTree

from tests.quality.curves import curves
from tests.quality.strategies import SUBJECTS, Trial, a12, median, speed, trial

FAST = [Trial(True, n, n / 100) for n in range(1, 11)]
SLOW = [Trial(True, 10 * n, n / 10) for n in range(2, 12)]
NEVER = [Trial(False, 50, 1.0)] * 10


def test_fewer_schedules_win_and_what_neither_finds_is_a_tie() -> None:
    assert a12(FAST, SLOW) == 1.0
    assert a12(SLOW, FAST) == 0.0
    assert a12(FAST, FAST) == 0.5
    assert a12(NEVER, NEVER) == 0.5
    assert a12(SLOW, NEVER) == 1.0


def test_what_is_not_found_counts_in_medians_and_rates() -> None:
    assert median(FAST, 1.0) == (0.05, 0.02, 0.08 + 0.01)
    assert median(FAST[:4] + NEVER, 1.0)[0] == float("inf")
    assert speed(FAST) > speed(FAST + NEVER) > speed(NEVER) == 0


def test_a_trial_ends_with_the_fault_or_with_its_time() -> None:
    found = trial(SUBJECTS[0], "random", 1, 5.0)
    assert found.found
    assert found.schedules >= 1
    assert not trial(SUBJECTS[1], "random", 1, 0.02).found


def test_curves_are_well_formed_and_have_a_line_for_each_name() -> None:
    drawn = ElementTree.fromstring(curves({"random": [0.1, None], "pct": [0.01, 0.02]}, 1.0))
    lines = [each for each in drawn.iter() if each.tag.endswith("path")]
    assert len(lines) == 3  # the axes and two curves
