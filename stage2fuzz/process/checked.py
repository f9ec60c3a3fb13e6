"""Values that came out of a confined process, as what they must be; TypeError for all others."""

from collections.abc import Sequence
from typing import Any, Final

MOST_ITEMS: Final = 1 << 20
MOST: Final = 1 << 62


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise TypeError
    return value


def listed(value: Any) -> Sequence[Any]:
    """A list of no more than ``MOST_ITEMS``."""
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        raise TypeError
    return value


def number(value: Any) -> int:
    """A whole number; true is none."""
    if type(value) is not int:
        raise TypeError
    return value


def count(value: Any) -> int:
    """A whole number from 0 to what a database holds."""
    if not 0 <= number(value) < MOST:
        raise TypeError
    return number(value)
