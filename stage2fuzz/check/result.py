"""What a check found out: its rows, what came, what went, and the code that it ends with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from stage2fuzz.check.proofs import ScenarioProof
from stage2fuzz.check.survey import Exhibit, Survey
from stage2fuzz.check.version import Version
from stage2fuzz.studies.comparison import Change, Comparison, Difference

CLEAN: Final = 0
FOUND: Final = 1
INCONCLUSIVE: Final = 3


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version in the table."""

    version: Version
    survey: Survey | None
    """What it shows; None where it does not build."""
    same_as: str = ""
    """The row that compiles to the same; empty where none before does."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A fault that came with the patches, or went with them."""

    exhibit: Exhibit
    """A run that shows it, minimised where there was time."""
    by: Version
    """The first version that shows it, or that no longer does."""
    tried: int
    """Schedules of its own scenarios under which the other side did not show it."""

    @property
    def signature(self) -> str:
        """Names the fault."""
        return self.exhibit.violation.signature


def grouped(effects: Sequence[Effect]) -> list[list[Effect]]:
    """Effects of one oracle and one version together: faces of what is most likely one fault."""
    groups: dict[tuple[str, str], list[Effect]] = {}
    for each in effects:
        groups.setdefault((each.by.name, each.exhibit.violation.oracle), []).append(each)
    return list(groups.values())


@dataclass(slots=True)
class CheckResult:
    """What a check says."""

    rows: Sequence[VersionRow]
    """The base first, the head last."""
    new: list[Effect] = field(default_factory=list)
    """Faults of the head that the base has not."""
    gone: list[Effect] = field(default_factory=list)
    """Faults of the base that the head has not."""
    passing: list[Effect] = field(default_factory=list)
    """Faults of a version between them that neither of them has: no good place to bisect over."""
    comparison: Comparison | None = None
    """Head against base, run by run; None where they compile to the same."""
    proofs: Sequence[ScenarioProof] = ()
    """The ground of proofs on base and head; empty where nobody asked."""
    shortfalls: list[str] = field(default_factory=list)
    """Why nothing new would mean little, a line each."""
    unseen: list[str] = field(default_factory=list)
    """Changed files of code that no engine is made of: the check says nothing of them."""
    seconds: float = 0.0

    @property
    def base(self) -> VersionRow:
        """What the patches are for."""
        return self.rows[0]

    @property
    def head(self) -> VersionRow:
        """What the patches make of it."""
        return self.rows[-1]

    @property
    def changes(self) -> bool:
        """Whether any version compiles to something else than the base."""
        return any(row.version.key != self.base.version.key for row in self.rows)

    @property
    def exit_code(self) -> int:
        """1: something new, 3: too little ran to say that there is nothing, else 0."""
        if self.new:
            return FOUND
        return INCONCLUSIVE if self.shortfalls else CLEAN

    def known(self) -> Iterator[Exhibit]:
        """What base and head both show, the gravest first by oracle."""
        base, head = self.base.survey, self.head.survey
        if base is None or head is None:
            return
        went = {each.signature for each in self.gone}
        for signature, exhibit in sorted(
            base.exhibits.items(), key=lambda item: item[1].violation.oracle
        ):
            if signature not in went:
                yield exhibit

    def behaviour(self) -> tuple[Difference, ...]:
        """Other outcomes and costs that no oracle objects to."""
        if self.comparison is None:
            return ()
        return self.comparison.of(Change.OUTCOME, Change.COST)

    def untried(self) -> tuple[Difference, ...]:
        """Other outcomes that one side alone showed so far, and that there was no time to try.

        They are no shortfall: no oracle objects to them, so no fault hides there. What an oracle
        objects to is looked for on the other side, however short the time was.
        """
        if self.comparison is None:
            return ()
        return tuple(each for each in self.comparison.untried if each.change is Change.OUTCOME)

    def moving(self) -> list[str]:
        """The oracles of everything that came or went."""
        effects = (*self.new, *self.gone, *self.passing)
        moved = {each.exhibit.violation.oracle for each in effects}
        return [each for each in self.oracles() if each in moved]

    def steady(self) -> list[str]:
        """The oracles that object as they did before."""
        return [each for each in self.oracles() if each not in self.moving()]

    def oracles(self) -> list[str]:
        """Every oracle that objects to any row, in the catalogue's order of names."""
        found = {
            exhibit.violation.oracle
            for row in self.rows
            if row.survey is not None
            for exhibit in row.survey.exhibits.values()
        }
        return sorted(
            found, key=lambda name: (name[0], int(name[1:]) if name[1:].isdecimal() else 0)
        )
