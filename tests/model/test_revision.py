"""Engine names: every promised revision exists, every wrong name says what would be right."""

import pytest

from stage2fuzz.errors import InputError
from stage2fuzz.model.engine import ModelEngine
from stage2fuzz.model.flags import PermissionOnly
from stage2fuzz.model.planted import FLAG_SPOILS, MUST_CATCH, SPOILS
from stage2fuzz.model.revision import parse_revision


def test_any_subset_of_the_patches_applies_to_v5_10() -> None:
    revision = parse_revision("v5.10+p3+p1")
    assert revision.flags.decoupled_writers
    assert revision.flags.dirty_after_success
    assert revision.flags.permission_only is PermissionOnly.REWRITE


def test_a_planted_bug_is_a_suffix_of_any_revision() -> None:
    assert parse_revision("v5.12!missing-tlbi!no-retry").bugs == ("missing_tlbi", "no_retry")


def test_every_bug_that_has_a_judge_is_planted_and_the_other_way_round() -> None:
    """Registering a bug without a judge is refused; a judge without a bug would never be asked."""
    ModelEngine(parse_revision("v5.12"))  # links the bugs' files
    planted = {each.bug for each in SPOILS} | {each.bug for each in FLAG_SPOILS}
    assert planted == set(MUST_CATCH)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("v5.11", "known: v5.10"),
        ("v5.10+p4", "p1, p2, p3"),
        ("series-v2+p1", "v5.10+p1"),
        ("v5.12!no-such-bug", "missing-tlbi"),
        ("", "known: v5.10"),
    ],
)
def test_a_wrong_name_says_what_would_be_right(name: str, right: str) -> None:
    with pytest.raises(InputError, match=r"unknown|patches apply") as raised:
        parse_revision(name)
    assert right in str(raised.value)
