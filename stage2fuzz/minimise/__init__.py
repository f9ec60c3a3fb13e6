"""Minimising: the simplest case that still shows the same fault, and how far that was tried.

``minimise`` knows no engine and no oracle: a predicate replays a candidate and says whether the
fault is still the same one. What is simpler is in ``order``, how to get there in one file a pass,
and every try goes through one ``Door``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.errors import InputError
from stage2fuzz.minimise.blocks import merge_blocks
from stage2fuzz.minimise.choices import mild_choices
from stage2fuzz.minimise.chunks import merge_chunks
from stage2fuzz.minimise.door import Door, Recurrence, Same
from stage2fuzz.minimise.few import few_preemptions
from stage2fuzz.minimise.operations import drop_operation
from stage2fuzz.minimise.pages import lower_pages
from stage2fuzz.minimise.plain import plain_settings
from stage2fuzz.minimise.rounds import drop_rounds
from stage2fuzz.minimise.threads import drop_thread
from stage2fuzz.minimise.truncate import truncate
from stage2fuzz.schedule.base import Schedule

__all__ = ["BUDGET", "PASSES", "Minimum", "Pass", "Recurrence", "Same", "minimise"]

BUDGET: Final = 3_000
"""Replays at most; most faults need a few hundred."""

Pass = Callable[[Case, Schedule], Iterator[Case]]
"""Proposes candidates from the best case and its executed schedule."""

_SCENARIO: Final[tuple[Pass, ...]] = (drop_thread, drop_operation, plain_settings, lower_pages)
_SCHEDULE: Final[tuple[Pass, ...]] = (
    few_preemptions,
    merge_chunks,
    merge_blocks,
    mild_choices,
    drop_rounds,
)
PASSES: Final = (*_SCENARIO, *_SCHEDULE, truncate)
"""All of them."""


@dataclass(frozen=True, slots=True)
class Minimum:
    """The simplest case found."""

    case: Case
    preemptions: int
    tries: int
    """Replays it took."""
    finished: bool
    """No single step of any pass makes it simpler; False where the budget ended it."""


def minimise(case: Case, same: Same, budget: int = BUDGET) -> Minimum:
    """The simplest case, by ``order.cost``, that the passes reach and that ``same`` accepts.

    Deterministic, and never worse than ``case``. Raises InputError if ``case`` itself does not
    show the fault.
    """
    door = Door(same, budget)
    if not door.enter(case):
        raise InputError("case", "does not show the fault", "a case that does when it is run again")
    before = None
    while door.best != before and not door.exhausted:
        before = door.best
        for shorten in _SCENARIO:
            _exhaust(door, shorten)
        for shorten in _SCHEDULE:
            _exhaust(door, shorten)
        for shorten in _SCENARIO:
            _exhaust(door, _with_any_schedule(shorten))
        _exhaust(door, truncate)
    return Minimum(door.best, door.preemptions, door.tries, not door.exhausted)


def _exhaust(door: Door, shorten: Pass) -> None:
    """Start a pass again from each better case it finds, until it finds none."""
    while any(door.simpler(candidate) for candidate in shorten(door.best, door.executed)):
        pass


def _with_any_schedule(shorten: Pass) -> Pass:
    """The same proposals with every schedule of few preemptions: the one at hand may not fit."""

    def proposals(case: Case, executed: Schedule) -> Iterator[Case]:
        scenario = case.scenario
        for candidate in shorten(case, executed):
            if candidate.scenario != scenario:
                scenario = candidate.scenario
                yield from few_preemptions(candidate, candidate.schedule)

    return proposals
