"""Settling after a publication: it ends where the wait for readers has begun, or need not begin."""

from typing import cast

import pytest

from stage2fuzz.confirm.anchors import Anchor
from stage2fuzz.confirm.driver import NotSettledError, StubDriver
from stage2fuzz.confirm.gdbstub import Stub, StubError

GRACE, COMMIT = 0x10, 0x20
ADDRESSES = {Anchor.GRACE: [GRACE], Anchor.COMMIT: [COMMIT]}


class Stops:
    """A stub whose processors stop at breakpoints in a fixed order."""

    def __init__(self, *stops: tuple[str, int]) -> None:
        self.left = list(stops)
        self.places: dict[str, int] = {}

    def processors(self) -> list[str]:
        """Processor 0, and one for each of two threads."""
        return ["p0", "p1", "p2"]

    def stopped(self, _patience: float) -> str:
        """The next of the stops, while there are any."""
        if not self.left:
            raise StubError("nobody stops")
        where, at = self.left.pop(0)
        self.places[where] = at
        return where

    def register(self, processor: str, _number: int) -> int:
        """Where it stands."""
        return self.places.get(processor, 0)

    def step(self, processor: str) -> None:
        """Past the breakpoint."""
        self.places[processor] = 0

    def interrupt(self) -> None:
        """At once."""

    def resume(self, _processors: list[str]) -> None:
        """On it goes."""

    def breakpoint(self, _address: int, _armed: bool) -> None:
        """There are always enough."""


def settled(*stops: tuple[str, int]) -> tuple[Anchor | None, list[tuple[str, int]]]:
    stub = Stops(*stops)
    driver = StubDriver(cast(Stub, stub), ADDRESSES, 2)
    return driver.settle(0, (Anchor.COMMIT, Anchor.UNMAP)), stub.left


def test_it_ends_when_readers_are_looked_for_the_second_time_on_any_processor() -> None:
    assert settled(("p1", GRACE), ("p0", GRACE), ("p1", COMMIT)) == (None, [("p1", COMMIT)])


def test_it_ends_at_the_commit_where_nobody_is_waited_for() -> None:
    assert settled(("p1", GRACE), ("p0", COMMIT), ("p1", COMMIT)) == (Anchor.COMMIT, [])


def test_a_wait_that_was_not_seen_to_begin_is_no_wait() -> None:
    """Whose readers it would wait for is not known, so a run that shows nothing refutes nothing."""
    with pytest.raises(NotSettledError, match="thread 0 was not seen to wait"):
        settled(("p1", GRACE))
