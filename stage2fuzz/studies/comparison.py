"""Comparison: what changed between two engines, in the words and with the code it ends with.

A difference is told once for each way in which the two differ, however many runs show it, and says
what kind of change it is: a violation that came or went is judged by the oracles, another outcome
is what a guest, a VMM or the host could see, and cost is work for the same outcome.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.process.checked import count, listed, text

SAME: Final = 0
DIFFERENT: Final = 1
INCONCLUSIVE: Final = 3
LISTED: Final = 5
"""Suspicions that are told one by one."""


class Change(StrEnum):
    """What kind of change a difference is, the gravest first."""

    NEW_VIOLATION = "new violation"
    """An oracle objects to AFTER and never objected to BEFORE."""
    OUTCOME = "other outcome"
    """A result, a dirty log, a host page, a final table or a leak that only one of them shows."""
    COST = "cost"
    """The same outcome with more or fewer faults, TLB invalidations or lock holds."""
    LOST_VIOLATION = "lost violation"
    """An oracle objects to BEFORE and not to AFTER."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which AFTER differs from BEFORE."""

    change: Change
    topic: str
    """What of a run differs: an oracle's number, ``results``, ``dirty log``, ``host pages``,
    ``final table``, ``leaks``, ``warnings``, ``faults``, ``TLB maintenance`` or ``locks``."""
    signature: str
    """Names it structurally, without vCPU, page or address: the same for the same change."""
    verdict: str
    """One sentence for an engineer."""
    runs: int
    """Runs that showed it."""
    tried: int
    """Schedules of the same scenario under which the other engine did not show it."""
    before: Case | None
    """A run of BEFORE to look at: the one that shows it, or the same turns beside AFTER's."""
    after: Case | None
    """The same of AFTER."""

    def to_record(self) -> dict[str, object]:
        """For a program; ``read_difference`` reads it."""
        return {
            "change": str(self.change),
            "topic": self.topic,
            "signature": self.signature,
            "verdict": self.verdict,
            "runs": self.runs,
            "tried": self.tried,
            "before": None if self.before is None else format_case(self.before),
            "after": None if self.after is None else format_case(self.after),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared, and every difference, the gravest first."""

    before: str
    after: str
    """Names of the engines."""
    runs: int
    """Of each engine."""
    scenarios: int
    seconds: float
    differences: Sequence[Difference]
    shortfalls: Sequence[str] = ()
    """Why what was not found is not known to be absent, a line each."""
    untried: Sequence[Difference] = ()
    """What one side showed and the other did not so far, and there was no time to try further: the
    gravest first; ``tried`` says how far it was tried."""

    @property
    def missing(self) -> tuple[str, ...]:
        """The shortfalls, what was not tried to its end, and a line where nothing ran at all."""
        nothing = () if self.runs else ("no schedule ran",)
        open_ones = [f"not tried to its end: {each.verdict}" for each in self.untried[:LISTED]]
        more = len(self.untried) - LISTED
        rest = [f"not tried to their end: {more} more"] if more > 0 else []
        return (*nothing, *self.shortfalls, *open_ones, *rest)

    @property
    def exit_code(self) -> int:
        """0: no difference, 1: differences, 3: too little ran to say that there is none."""
        if self.differences:
            return DIFFERENT
        return INCONCLUSIVE if self.missing else SAME

    def of(self, *changes: Change) -> tuple[Difference, ...]:
        """The differences of these kinds."""
        return tuple(each for each in self.differences if each.change in changes)

    def to_record(self) -> dict[str, object]:
        """For a program; ``read_comparison`` reads it."""
        return {
            "before": self.before,
            "after": self.after,
            "runs": self.runs,
            "scenarios": self.scenarios,
            "seconds": round(self.seconds, 1),
            "differences": [each.to_record() for each in self.differences],
            "shortfalls": list(self.shortfalls),
            "untried": [each.to_record() for each in self.untried],
            "inconclusive": list(self.missing),
        }


def read_comparison(record: dict[str, Any]) -> Comparison:
    """A comparison as ``to_record`` wrote it, distrusted: ValueError, KeyError, TypeError or
    InputError where it is none."""
    return Comparison(
        text(record["before"]),
        text(record["after"]),
        count(record["runs"]),
        count(record["scenarios"]),
        float(record["seconds"]),
        tuple(read_difference(each) for each in listed(record["differences"])),
        tuple(text(each) for each in listed(record["shortfalls"])),
        tuple(read_difference(each) for each in listed(record["untried"])),
    )


def read_difference(record: dict[str, Any]) -> Difference:
    """A difference as ``to_record`` wrote it, distrusted like a comparison."""
    cases = [
        None if record[side] is None else parse(text(record[side]), side)
        for side in ("before", "after")
    ]
    return Difference(
        Change(record["change"]),
        text(record["topic"]),
        text(record["signature"]),
        text(record["verdict"]),
        count(record["runs"]),
        count(record["tried"]),
        *cases,
    )
