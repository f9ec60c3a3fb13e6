"""An oracle hears of what its handlers are named after, or is refused when it is defined."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stage2fuzz.event_kind import Hearing
from stage2fuzz.events import KINDS, RETURN
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.catalogue import ORACLES
from stage2fuzz.oracles.dispatch import teller
from stage2fuzz.oracles.handlers import ANNOUNCEMENTS, EVENTS, FIELDS, named_fields
from stage2fuzz.oracles.world import World


def define(name: str, method: Callable[..., Any], **more: object) -> type:
    """An oracle with one method, as a ``class`` statement would make it."""
    return type("Candidate", (Oracle,), {name: method, **more})


def test_a_handler_of_nothing_is_refused() -> None:
    def method(self: Oracle, index: int) -> None:
        """Would never be called."""

    with pytest.raises(TypeError, match=r"Candidate\.tlbbi hears of nothing"):
        define("tlbbi", method)
    assert define("tlbi", method)
    assert define("_tlbbi", method)


def test_what_the_base_offers_may_be_said_anew() -> None:
    def setup(self: Oracle) -> None:
        """A hook of the base, no handler."""

    assert define("setup", setup)


def test_a_public_method_that_is_no_plain_function_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Candidate\.free hears of nothing"):
        define("free", staticmethod(print))


def test_a_field_that_the_kind_does_not_have_is_refused() -> None:
    def method(self: Oracle, index: int, status: int) -> None:
        """A free has no status; a fault has."""

    with pytest.raises(TypeError, match=r"Candidate\.free: no field 'status'; there are index"):
        define("free", method)
    assert define("fault", method)


def test_a_field_of_another_type_is_refused() -> None:
    def method(self: Oracle, call: int) -> None:
        """The call that ended is no number."""

    with pytest.raises(TypeError, match="'call' is"):
        define("returned", method)


def test_a_handler_that_takes_anything_is_refused() -> None:
    def method(self: Oracle, *fields: int) -> None:
        """Nobody can tell which fields it wants."""

    with pytest.raises(TypeError, match="named fields only"):
        define("free", method)


def test_late_and_returns_name_handlers_that_are_there() -> None:
    def method(self: Oracle, index: int) -> None:
        """Hears of something else."""

    with pytest.raises(TypeError, match="late: no handler of an event: walk"):
        define("free", method, late=("walk",))
    with pytest.raises(TypeError, match="returns: there is no handler"):
        define("free", method, returns=(1,))


class Listener:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, ...]] = []

    def fault(self, status: int, index: int) -> None:
        """In an order of its own."""
        self.told.append((status, index))


def test_each_handler_is_told_the_fields_that_it_names_in_its_own_order() -> None:
    first, second = Listener(), Listener()
    tell = teller("fault", FIELDS["fault"], [first, second])
    assert tell is not None
    tell(7, 1, 0x4000_0000, 2, 3, 0)
    assert first.told == second.told == [(3, 7)]
    assert teller("fault", FIELDS["fault"], []) is None


def test_the_world_names_only_fields_that_exist() -> None:
    heard = [name for name in EVENTS.values() if hasattr(World, name)]
    assert heard
    for name in heard:
        named_fields(World, name, FIELDS[name])  # TypeError names the field that is not there


def listeners(name: str) -> list[type[World] | type[Oracle]]:
    classes: tuple[type[World] | type[Oracle], ...] = (World, *ORACLES)
    return [each for each in classes if hasattr(each, name)]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != RETURN])
def test_the_table_says_who_hears_of_a_kind(kind: int) -> None:
    name, heard = EVENTS[kind], KINDS[kind].heard
    own = [each for each in listeners(name) if name not in getattr(each, "late", ())]
    if own:
        assert heard is Hearing.ALWAYS, own
    elif listeners(name):
        assert heard in (Hearing.ALWAYS, Hearing.WHEN_FREED)


def test_every_announcement_is_heard_by_an_oracle_and_made_by_the_world() -> None:
    for name in ANNOUNCEMENTS:
        assert listeners(name), name
        assert f"on_{name}" in World.__slots__


def test_every_oracle_has_its_line_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "oracles.md").read_text()
    for each in ORACLES:
        assert f"**{each.oracle} " in page or each.oracle in ("WARN", "CRASH"), each
