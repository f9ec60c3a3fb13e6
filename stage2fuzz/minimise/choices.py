"""Make rare choices mild: 0 is a fresh walk, the oldest store, the plain way."""

from collections.abc import Iterator
from dataclasses import replace

from stage2fuzz.case.case import Case
from stage2fuzz.schedule.base import Schedule


def mild_choices(case: Case, executed: Schedule) -> Iterator[Case]:
    """No choices at all, each one 0, and without the last."""
    choices = executed.choices
    if choices:
        yield replace(case, schedule=replace(executed, choices=()))
    for at, choice in enumerate(choices):
        if choice:
            milder = (*choices[:at], 0, *choices[at + 1 :])
            yield replace(case, schedule=replace(executed, choices=milder))
