"""Programs for a mail: they force a finding by starving threads, with nothing but user space."""

from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError

LOST_DIRTY_PAGE: Final = Path(__file__).parent / "lost_dirty_page.c"
COMMAND: Final = "gcc -O2 -Wall -pthread -o reproducer {file} && ./reproducer"


def reproducer_of(rules: tuple[str, ...], where: str) -> Path:
    """The program that shows what these oracles say; InputError where none can."""
    if "C9" in rules and {"D1", "D3"} & set(rules):
        return LOST_DIRTY_PAGE
    what = "cannot be forced by starving threads"
    raise InputError(where, what, "--reproducer knows the lost dirty page (C9 with D1 or D3)")
