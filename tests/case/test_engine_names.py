"""Engine names in case texts: a tree's path may hold what would split or end a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2fuzz.case.case import Case
from stage2fuzz.case.limits import check_engine
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.errors import InputError
from stage2fuzz.schedule.base import Schedule


def through_text(engine: str) -> str:
    return parse(format_case(Case(engine, Scenario(), Schedule())), "case").engine


@pytest.mark.parametrize(
    "path",
    [
        "/t/a b",
        "/t/a#b",
        "/t/é ü#1",
        '/t/say "hi"',
        "/t/back\\slash",
        "/t/日本",
        '/t/"#"',
        "/t/a'b",
    ],
)
def test_any_printable_path_comes_back_from_the_text(path: str) -> None:
    assert through_text(f"kernel:{path}") == f"kernel:{path}"


@given(st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=60))
def test_what_the_limits_allow_comes_back_from_the_text(path: str) -> None:
    engine = f"kernel:{path}"
    try:
        check_engine(engine, "engine")
    except InputError:
        return
    assert through_text(engine) == engine


def test_plain_names_are_written_as_before() -> None:
    text = format_case(Case("kernel:/usr/src/linux-6.1", Scenario(), Schedule()))
    assert "\nengine kernel:/usr/src/linux-6.1\n" in text


def test_a_comment_may_follow_a_quoted_name() -> None:
    text = format_case(Case("kernel:/t/a b", Scenario(), Schedule()))
    commented = text.replace('"\n', '"  # the tree of today\n', 1)
    assert commented != text
    assert parse(commented, "case").engine == "kernel:/t/a b"


@pytest.mark.parametrize("path", ["/t/a\nb", "/t/\x07", "/t/\udc80", "", "x" * 201])
def test_what_no_text_can_hold_is_refused_in_one_line(path: str) -> None:
    with pytest.raises(InputError, match=r"engine .*; KIND:NAME"):
        check_engine(f"kernel:{path}", "--engine")


@pytest.mark.parametrize("quoted", ['"kernel:/t/\\q"', '"kernel:/t/\\u12"'])
def test_a_broken_string_names_its_line(quoted: str) -> None:
    with pytest.raises(InputError, match=r"case:2: engine .*; a JSON string"):
        parse(f"stage2fuzz case 1\nengine {quoted}\nvcpu 0: write 0\nend\n", "case")
