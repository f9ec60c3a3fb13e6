"""Interrupts: what Ctrl-C and its like do to a command while it works."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def on_signals(
    *signals: signal.Signals, act: Callable[[], None], once: bool = False
) -> Iterator[None]:
    """Call ``act`` in place of what the signals did before, which comes back at the end.

    With ``once`` it comes back at the first of them, so that the second does what it always does.
    """

    def handler(_number: int, _frame: FrameType | None) -> None:
        if once:
            restore()
        act()

    def restore() -> None:
        for number, was in before.items():
            signal.signal(number, was)

    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        restore()


class Interruption(Exception):  # noqa: N818 - it is no error
    """A person, or who runs the command, wants it to end."""


class Interrupt:
    """A request to end, which waits where it would leave a service half started or half ended."""

    def __init__(self) -> None:
        self._asked = self._heard = False

    def __call__(self) -> None:
        """Somebody asks. Raises Interruption where that is heard."""
        self._asked = True
        if self._heard:
            raise Interruption

    @contextmanager
    def heard(self) -> Iterator[None]:
        """A block that a request ends, also one from before."""
        self._heard = True
        try:
            if self._asked:
                raise Interruption
            yield
        finally:
            self._heard = False
