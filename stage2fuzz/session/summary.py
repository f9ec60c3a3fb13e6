"""Summary: what a session or a campaign did, in the words and with the code it ends with.

Nothing found is only said where the work was done: a process that ended early, that others killed,
or that ran nothing is a shortfall, and with one "nothing found" is not known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stage2fuzz.findings.models import Finding


NOTHING_FOUND: Final = 0
FOUND: Final = 1
INCONCLUSIVE: Final = 3


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
    findings: "Sequence[Finding]"
    shortfalls: Sequence[str] = ()
    """Why what was not found is not known to be absent, a line each."""
    fail_on: str = "any"
    """``new``: findings of known causes do not count for the exit code."""

    @property
    def missing(self) -> tuple[str, ...]:
        """The shortfalls, and one more where nothing ran at all."""
        nothing = () if self.schedules else ("no schedule ran",)
        return (*nothing, *self.shortfalls)

    @property
    def news(self) -> "list[Finding]":
        """The findings whose cause is no known one of their engine."""
        return [each for each in self.findings if not each.known]

    @property
    def exit_code(self) -> int:
        """1 where something was found, 3 where too little ran to say that there is nothing."""
        if self.news if self.fail_on == "new" else self.findings:
            return FOUND
        return INCONCLUSIVE if self.missing else NOTHING_FOUND

    def to_record(self) -> dict[str, object]:
        """For a program; the findings are told beside it."""
        return {
            "engine": self.engine,
            "schedules": self.schedules,
            "judged": self.judged,
            "features": self.features,
            "seconds": round(self.seconds, 1),
            "inconclusive": list(self.missing),
        }

    def heading(self) -> str:
        """The figures in one line."""
        judged = "" if self.judged is None else f"{self.judged:,} judged, "
        return (
            f"{self.schedules:,} schedules, {judged}{self.features:,} features, "
            f"{len(self.findings)} finding{'s' * (len(self.findings) != 1)}"
            + (f", {len(self.news)} new" if len(self.news) < len(self.findings) else "")
        )
