"""Signs of life: how a confined process says that it still works, and how long it may be silent.

What runs a tree's code may be caught in it for ever. How long a whole command may take is nobody's
guess, but a step of its work takes milliseconds, so the one who waits looks for steps and gives up
after some silence. Work says ``alive()`` at each step and need not know whether anybody listens.
"""

import math
import os
from collections.abc import Callable
from typing import Final

from stage2fuzz.errors import InputError

VARIABLE: Final = "STAGE2FUZZ_STALL"
"""Seconds of silence after which a process that runs a tree's code is ended; for those who can't
wait, or whose machine is very slow."""
SILENCE: Final = 60.0
"""Seconds of silence by default: a process starts, or compiles one file, within them."""


def stall_seconds(default: float = SILENCE) -> float:
    """How long a process may be silent. InputError where the variable is no number of seconds."""
    told = os.environ.get(VARIABLE, "")
    if not told:
        return default
    try:
        seconds = float(told)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise InputError(VARIABLE, f"{told!r} is no number of seconds", "60, for one")
    return seconds


_listener: list[Callable[[], None]] = []


def listen(listener: Callable[[], None]) -> None:
    """Call ``listener`` at each sign of life of this process, in place of any other."""
    _listener[:] = [listener]


def alive() -> None:
    """One more step is done."""
    for listener in _listener:
        listener()
