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
