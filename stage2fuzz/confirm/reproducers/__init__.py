"""Programs for a mail: they show a finding with nothing but user space."""

from pathlib import Path
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.errors import InputError
from stage2fuzz.run import run

LOST_DIRTY_PAGE: Final = Path(__file__).parent / "lost_dirty_page.c"
DIRTY_RING: Final = Path(__file__).parent / "dirty_ring.c"
COMMAND: Final = "gcc -O2 -Wall -pthread -o reproducer {file} && ./reproducer"


def reproducer_of(rules: tuple[str, ...], where: str) -> Path:
    """The program that forces what these oracles say by starving threads; InputError for none."""
    if "C9" in rules and {"D1", "D3"} & set(rules):
        return LOST_DIRTY_PAGE
    what = "cannot be forced by starving threads"
    raise InputError(where, what, "--reproducer knows the lost dirty page (C9 with D1 or D3)")


def reproducer_of_rings(case: Case, where: str) -> Path:
    """The program for a VM with dirty rings alone, which takes no schedule and so any engine.

    InputError where the case loses nothing that way: on an engine before v6.2, for one.
    """
    if {"C9", "D1"} & {each.oracle for each in run(case).violations}:
        return DIRTY_RING
    what = f"loses no dirty page on {case.engine} for want of a bitmap"
    raise InputError(where, what, "a case with dirty-ring that does, see replay")
