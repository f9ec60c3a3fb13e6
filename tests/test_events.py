"""The table of events says of each kind, once, what more than one part must know."""

import pytest

from stage2fuzz.event_kind import FIELDS, UNUSED, Dependence, EventKind
from stage2fuzz.events import _ROWS, KINDS, SETUP, with_field
from stage2fuzz.kernel.numbers import header


def test_no_two_kinds_share_a_number_a_name_or_a_feature() -> None:
    assert len(KINDS) == len(_ROWS)
    assert len({kind.name for kind in KINDS.values()}) == len(KINDS)
    codes = [kind.feature.code for kind in KINDS.values() if kind.feature is not None]
    assert len(set(codes)) == len(codes)
    assert all(0 < code < 32 for code in codes), "a label has five bits for the code"


def test_each_kind_names_four_fields_in_the_words_that_are_explained() -> None:
    used = {field for kind in KINDS.values() for field in kind.fields}
    assert used == set(FIELDS) | {UNUSED}
    for kind in KINDS.values():
        assert len(kind.fields) == 4, kind
        named = [field for field in kind.fields if field != UNUSED]
        assert len(set(named)) == len(named), kind


def test_a_kind_must_say_what_it_depends_on_and_whom_it_meets() -> None:
    with pytest.raises(TypeError, match=r"depends.*meets"):
        EventKind(99, "new", "- - - -")  # type: ignore[call-arg]


def test_kinds_about_an_entry_are_those_that_read_or_write_one() -> None:
    memory = {Dependence.READ, Dependence.WRITE}
    assert set(with_field("location")) == {n for n, k in KINDS.items() if k.depends in memory}


def test_the_c_side_hears_of_every_kind_of_the_table() -> None:
    text = header()
    meetings = text.partition("S2_MEETINGS(MEET)")[2].partition("#define")[0]
    assert meetings.count("case ") == meetings.count("break;") == len(KINDS)
    for kind in KINDS.values():
        assert f"case {kind.number}: /* {kind.name} */" in meetings
    assert SETUP < 0 < min(KINDS)
