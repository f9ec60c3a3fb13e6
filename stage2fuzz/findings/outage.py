"""When the database is away: which errors say so, and how long to wait for it to come back.

An outage passes by itself, so what was to be written is tried again and nothing is lost. A row that
the database refuses (a value out of its range, a text it can't store) would be refused for ever: it
is no outage, and costs its own order only.
"""

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential,
)

LOG: Final = logging.getLogger("stage2fuzz.database")
OutageError: Final = OperationalError
"""What every statement raises while the database is away, or full, or locked for too long."""
RefusalError: Final = DBAPIError
"""What a statement raises, beside ``OutageError``, whose values the database does not take."""
PATIENCE: Final = 600.0
"""Seconds that a worker waits for a database that is away."""
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 10.0

T = TypeVar("T")


def patiently(
    attempt: Callable[[], T],
    away: tuple[type[Exception], ...] = (OutageError,),
    seconds: float = PATIENCE,
) -> T:
    """Do it again while it raises one of ``away``, with growing pauses, for ``seconds`` at most.

    The last error is raised as it was.
    """
    return Retrying(
        retry=retry_if_exception_type(away),
        wait=wait_exponential(FIRST_PAUSE, max=LONGEST_PAUSE, min=FIRST_PAUSE),
        stop=stop_after_delay(seconds),
        before_sleep=_tell,
        reraise=True,
    )(attempt)


def one_line(error: BaseException) -> str:
    """The first line of an error's text, at most 300 characters."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    if error is not None and state.next_action is not None:
        pause = state.next_action.sleep
        LOG.warning("the database is away, again in %.1f s: %s", pause, one_line(error))
