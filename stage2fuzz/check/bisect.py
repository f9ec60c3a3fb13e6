"""Bisect: which commit brought a fault, or ended it.

git chooses the commits, so merges and skipped ones are its concern; a commit shows the fault if a
search in the fault's own scenario meets it. The search is as long as the fault took to show on the
side that has it, many times over, so that luck decides nothing.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.check.survey import seek
from stage2fuzz.check.version import Version, built, of_commit
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.repository import FOLDERS, Commit, Repository

FIRST_SEARCH: Final = 100_000
"""Schedules of the search at the end that should show the fault."""
TIMES: Final = 50
LEAST: Final = 5_000


@dataclass(frozen=True, slots=True)
class Trial:
    """One commit that was looked at."""

    commit: Commit
    shows: bool | None
    """None where it does not build."""
    schedules: int = 0
    """Until it showed, or in which it did not."""
    failure: str = ""


@dataclass(slots=True)
class Bisection:
    """What was found out about a fault's history."""

    signature: str
    fixed: bool
    """It was sought which commit ended the fault, and not which brought it."""
    trials: list[Trial] = field(default_factory=list)
    commit: Commit | None = None
    """The commit that made the difference; None where that is not known."""
    candidates: Sequence[Commit] = ()
    """Where commits that do not build hide it: one of these, the oldest first."""
    seconds: float = 0.0


class Bisector:
    """Bisects one fault over one range of commits."""

    def __init__(
        self,
        repository: Repository,
        case: Case,
        signature: str,
        say: Callable[[str, float], None],
        cache: Path | None = None,
    ) -> None:
        self._repository, self._case, self._signature = repository, case, signature
        self._say, self._cache = say, cache
        self._schedules = FIRST_SEARCH
        self._known: dict[str, Trial] = {}
        """By commit."""
        self._builds: dict[str, Trial] = {}
        """By what is compiled: commits that differ elsewhere need one look."""

    def run(self, good: str, bad: str) -> Bisection:
        """Find the first commit of ``good..bad`` that differs from ``good``.

        InputError where both ends show the fault, or neither does, or one does not build.
        """
        begun = time.monotonic()
        old, new = self._repository.commit(good), self._repository.commit(bad)
        ends = self._ends(old, new)
        result = Bisection(self._signature, fixed=ends[0])
        olds, bads, skipped = [old.id], new.id, set[str]()
        while True:
            listed = self._listed(olds, bads)
            waiting = [each for each in listed if each != bads and each not in skipped]
            if not waiting:
                break
            (commit,) = self._repository.described(waiting[:1])
            left = max(1, len(listed)).bit_length()
            done = len(self._known) / (len(self._known) + left)
            trial = self._tried(commit, f"about {left} commits to look at", done)
            if trial.shows is None:
                skipped.add(commit.id)
            elif trial.shows is ends[0]:
                olds.append(commit.id)
            else:
                bads = commit.id
        hidden = [each for each in self._listed(olds, bads) if each in skipped]
        found = self._repository.described([bads])[0]
        if hidden:
            order = [each.id for each in reversed(self._repository.described([*hidden, bads]))]
            result.candidates = self._repository.described(order)
        else:
            result.commit = found
        result.trials = list(self._known.values())
        result.seconds = time.monotonic() - begun
        return result

    def _ends(self, old: Commit, new: Commit) -> tuple[bool, bool]:
        """Whether each end shows the fault: the one that should decides how long a search is."""
        last = self._tried(new, "the end of the range", 0.0)
        first = self._tried(old, "the begin of the range", 0.1)
        for trial in (last, first):
            if trial.shows is None:
                raise InputError(trial.commit.short, f"does not build: {trial.failure}")
        if first.shows == last.shows:
            both = "both ends show" if first.shows else "neither end shows"
            what = f"{both} the fault ({first.schedules:,} and {last.schedules:,} schedules)"
            right = "GOOD..BAD with one end that has it"
            raise InputError(f"{old.short}..{new.short}", what, right)
        return bool(first.shows), bool(last.shows)

    def _listed(self, olds: Sequence[str], bad: str) -> list[str]:
        """Commits that may be the one, the best to look at first."""
        without = [f"^{each}" for each in olds]
        paths = ["--", *FOLDERS]
        text = self._repository.git("rev-list", "--bisect-all", bad, *without, *paths)
        listed = [line.split()[0] for line in text.splitlines()]
        return listed if bad in listed or not listed else [*listed, bad]

    def _tried(self, commit: Commit, why: str, done: float) -> Trial:
        if commit.id in self._known:
            return self._known[commit.id]
        self._say(f"{commit}: {why}", done)
        version = built(of_commit(self._repository, commit, commit.short), self._cache)
        same = self._same_build(version)
        if same is not None:
            trial = Trial(commit, same.shows, same.schedules)
        elif version.failure:
            trial = Trial(commit, None, failure=version.failure)
        else:
            found = seek(version, self._signature, [self._case.scenario], self._schedules)
            trial = Trial(commit, found.exhibit is not None, found.schedules)
            if trial.shows:
                self._schedules = min(FIRST_SEARCH, max(LEAST, TIMES * found.schedules))
            self._builds[version.key] = trial
        self._known[commit.id] = trial
        return trial

    def _same_build(self, version: Version) -> Trial | None:
        return self._builds.get(version.key) if version.library is not None else None
