"""Summary: what a session or a campaign did, in the words and with the code it ends with.

Nothing found is only said where the work was done: a process that ended early, that others killed,
or that ran nothing is a shortfall, and with one "nothing found" is not known.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stage2fuzz.findings.models import Finding

NOTHING_FOUND: Final = 0
FOUND: Final = 1
INCONCLUSIVE: Final = 3
CATEGORIES: Final = ("correctness", "progress", "economy")
"""The order in which findings are told."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What was done, what was found, and what is missing."""

    engine: str
    """One, or several with commas."""
    schedules: int
    judged: int | None
    """Schedules that went to the oracles; None where nobody counted them."""
    features: int
    """Different ones, over all processes."""
    seconds: float
    """Of fuzzing, summed over the processes."""
    findings: Sequence[Finding]
    shortfalls: Sequence[str] = ()
    """Why what was not found is not known to be absent, a line each."""

    @property
    def missing(self) -> tuple[str, ...]:
        """The shortfalls, and one more where nothing ran at all."""
        nothing = () if self.schedules else ("no schedule ran",)
        return (*nothing, *self.shortfalls)

    @property
    def exit_code(self) -> int:
        """1 where something was found, 3 where too little ran to say that there is nothing."""
        if self.findings:
            return FOUND
        return INCONCLUSIVE if self.missing else NOTHING_FOUND

    def to_record(self) -> dict[str, object]:
        """For a program."""
        return {
            "engine": self.engine,
            "schedules": self.schedules,
            "judged": self.judged,
            "features": self.features,
            "seconds": round(self.seconds, 1),
            "inconclusive": list(self.missing),
            "findings": [
                {
                    "id": each.id,
                    "oracle": each.oracle,
                    "category": each.category,
                    "signature": each.signature,
                    "verdict": each.verdict,
                    "minimised": each.minimised,
                }
                for each in self.ordered()
            ],
        }

    def ordered(self) -> list[Finding]:
        """The findings, the gravest first."""
        return sorted(self.findings, key=lambda each: (CATEGORIES.index(each.category), each.id))

    def heading(self) -> str:
        """The figures in one line."""
        judged = "" if self.judged is None else f"{self.judged:,} judged, "
        return (
            f"{self.schedules:,} schedules, {judged}{self.features:,} features, "
            f"{len(self.findings)} finding{'s' * (len(self.findings) != 1)}"
        )

    def rows(self) -> list[tuple[str, str, str, str]]:
        """A row for each finding: number, category, oracle, verdict."""
        return [
            (f"#{each.id}", each.category, each.oracle, each.verdict) for each in self.ordered()
        ]

    def last_lines(self, program: str, database: str = "") -> list[str]:
        """What is missing, and what to type next; ``program`` is how this one was called.

        ``database`` is given where it is not the default one.
        """
        lines = [f"inconclusive: {each}" for each in self.missing]
        if self.findings:
            where = f" --database {shlex.quote(database)}" if database else ""
            first = self.ordered()[0].id
            replay = f"{program} replay {first}{where}"
            show = f"{program} findings show {first}{where}"
            wide = max(len(replay), len(show)) + 2
            lines.append(f"next: {replay:{wide}}the interleaving, step by step")
            lines.append(f"      {show:{wide}}its history and its reproducer")
        return lines
