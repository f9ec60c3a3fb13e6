"""Violation: what an oracle says when the events break its rule; a value, never an exception."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stage2fuzz.source import Stack


class Category(StrEnum):
    """What kind of harm; a CI gate may ask for correctness alone."""

    CORRECTNESS = "correctness"
    PROGRESS = "progress"
    ECONOMY = "economy"


GRAVITY: Final = {str(category): number for number, category in enumerate(Category)}
"""How a list is sorted, the gravest first."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule broken once.

    ``oracle`` is the catalogue's number (``C6``), ``rule`` its short name. ``verdict`` is one
    sentence an engineer understands without the code. ``events`` are indices into the run's event
    list that prove it, in order. ``signature`` names the fault structurally: it must not change
    when vCPUs, pages or addresses are renumbered.
    """

    oracle: str
    rule: str
    category: Category
    verdict: str
    events: tuple[int, ...]
    signature: str
    cause: str = ""
    """What went wrong, by whichever rule it shows (``oracles/cause.py``); the judge fills it in."""
    source: Stack = ()
    """Where in the user's tree the step that the verdict is about was made, innermost first; empty
    for a model, and until a run is replayed for it."""
