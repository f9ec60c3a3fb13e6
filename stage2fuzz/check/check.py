"""Check: build every version, let each take the same turns, and hold them against the base.

A fault is new only if the head shows it and the base does not, neither on the course nor in a
longer search in the fault's own scenarios; a fault that the course met by luck alone is no patch's.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stage2fuzz import __version__
from stage2fuzz.check import survey as surveys
from stage2fuzz.check.course import FIRST_IN_C, FIRST_OF_MODEL, Course
from stage2fuzz.check.proofs import prove_ground
from stage2fuzz.check.result import CheckResult, Effect, VersionRow
from stage2fuzz.check.survey import Exhibit, Sought, Survey, seek
from stage2fuzz.check.version import Version, built, ground_of
from stage2fuzz.engine import kind_of
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.cache import default_cache
from stage2fuzz.oracles.native.build import library as compiled_judge
from stage2fuzz.oracles.violation import GRAVITY
from stage2fuzz.process.end import DiedError
from stage2fuzz.session.case_asker import CaseAsker
from stage2fuzz.studies.compare import Headway
from stage2fuzz.studies.compare_apart import compare_apart
from stage2fuzz.studies.comparison import Change, Difference
from stage2fuzz.studies.hunt.ground import Ground

SEARCH: Final = 20
"""A search tries so many times the schedules that the fault took to show."""
LEAST_SEARCH: Final = 4_000
LEAST_OF_MODEL: Final = 500
MOST_SEARCH: Final = 200_000
PATIENCE: Final = 3.0
"""How many times the base's time a version may take for the same turns."""
LEAST_COMPARE: Final = 5.0
"""Seconds of the comparison run by run; it gets half the time of the base."""
MINIMISE_SECONDS: Final = 15.0
START_SECONDS: Final = 60.0

Say = Callable[[str, float], None]
"""Told what is being done, and how much of the whole is."""


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """How a check is made."""

    seconds: float
    """The base's time on the course; every other version takes the same turns."""
    jobs: int
    seed: int = 1
    cache: Path | None = None
    prove: bool = False
    """Whether base and head are proved on the ground of proofs, too."""


class Check:
    """One check of some versions, the base first."""

    def __init__(self, versions: Sequence[Version], request: CheckRequest, say: Say) -> None:
        self._asked, self._request, self._say = versions, request, say
        model = not kind_of(versions[0].engine).isolated
        self._course = Course(request.seed, request.jobs, FIRST_OF_MODEL if model else FIRST_IN_C)
        self._least = LEAST_OF_MODEL if model else LEAST_SEARCH

    def run(self) -> CheckResult:
        """Do all of it. InputError where the base can't be built."""
        begun = time.monotonic()
        versions = self._build()
        if refused := versions[0].failure or versions[0].unproved:
            raise InputError(versions[0].engine, f"the base does not build: {refused}")
        self._course = replace(self._course, ground=ground_of(versions))
        result = CheckResult(self._survey(versions))
        head = versions[-1]
        if head.failure:
            result.shortfalls.append(f"{head.name} does not build: {head.failure}")
        if head.unproved:
            result.shortfalls.append(
                f"{head.name} does not pass the proof of a build: {head.unproved}"
            )
        self._shortfalls(result)
        self._compare(result)
        if self._request.prove and versions[0].ground is not Ground.EL2:
            self._prove(result)
        self._effects(result)
        result.seconds = time.monotonic() - begun
        return result

    def _build(self) -> list[Version]:
        made = []
        for version in self._asked:
            self._say(f"building {version.name}: {version.title}", 0.0)
            made.append(built(version, self._request.cache))
        return made

    def _survey(self, versions: Sequence[Version]) -> list[VersionRow]:
        """A row for each version; those that compile to the same are looked at once."""
        rows: list[VersionRow] = []
        different = len({each.key for each in versions if not each.failure})
        base: Survey | None = None
        for version in versions:
            same = next((row for row in rows if row.version.key == version.key), None)
            if version.failure:
                rows.append(VersionRow(version, None))
            elif same is not None:
                rows.append(VersionRow(version, same.survey, same.same_as or same.version.name))
            elif different == 1:
                rows.append(VersionRow(version, Survey([0] * self._request.jobs)))
            else:
                done = sum(1 for row in rows if row.survey and not row.same_as)
                made = self._one(version, base, done, different)
                base = base or made
                rows.append(VersionRow(version, made))
        return rows

    def _one(self, version: Version, base: Survey | None, done: int, of: int) -> Survey:
        """The survey of one version, kept from an earlier check where it was as long."""
        path = self._kept(version)
        kept = surveys.load(path, version.engine) if path is not None else None
        if kept is not None:
            long = base is None and kept.seconds >= 0.9 * self._request.seconds
            if long or (base is not None and kept.turns == base.turns):
                return kept
        patience = self._request.seconds if base is None else PATIENCE * self._request.seconds + 20

        def beat(made: Survey) -> None:
            share = min(1.0, made.seconds / self._request.seconds)
            line = f"{version.name}: {made.runs:,} schedules, {len(made.exhibits)} faults"
            self._say(line, 0.1 + 0.65 * (done + share) / of)

        until = time.monotonic() + patience
        turns = None if base is None else base.turns
        made = surveys.survey(version, self._course, until, turns, beat)
        if path is not None:
            surveys.keep(path, made)
        return made

    def _kept(self, version: Version) -> Path | None:
        """Where a version's survey is kept: its code, its judge and its course by their contents.

        None where nothing is compiled: a model is quick to look at again.
        """
        judge = compiled_judge()
        if version.library is None or judge is None:
            return None
        course = f"{self._course} {self._course.ground.returning()!r}"
        text = "\0".join((__version__, version.library.key, judge.stem, course))
        name = hashlib.sha256(text.encode()).hexdigest()[:24]
        return (self._request.cache or default_cache()).parent / "surveys" / f"{name}.json"

    def _compare(self, result: CheckResult) -> None:
        """Hold the head against the base run by run; a fault that only this met joins the rest."""
        base, head = result.base, result.head
        if base.survey is None or head.survey is None or base.version.key == head.version.key:
            return
        if base.version.ground is Ground.EL2:
            return  # scenarios and outcomes of a comparison are stage 2's
        seconds = max(LEAST_COMPARE, self._request.seconds / 2)

        def hear(headway: Headway) -> None:
            line = f"comparing: {headway.runs:,} schedules, {headway.differences} differences"
            self._say(line, 0.75 + 0.1 * headway.done)

        names = base.version.engine, head.version.engine
        result.comparison = compare_apart(
            *names, seconds=seconds, seed=self._request.seed, progress=hear
        )
        result.shortfalls += result.comparison.shortfalls
        for side, change in ((head, Change.NEW_VIOLATION), (base, Change.LOST_VIOLATION)):
            # What it had no time to try joins, too: it is looked for on the other side as all is.
            untried = (each for each in result.comparison.untried if each.change is change)
            for each in (*result.comparison.of(change), *untried):
                self._join(side, each, result.comparison.runs)

    def _prove(self, result: CheckResult) -> None:
        """Prove base and head; what only a search met joins the rest."""
        base, head = result.base, result.head
        if base.survey is None or head.survey is None or base.version.key == head.version.key:
            return

        def say(what: str, done: float) -> None:
            self._say(f"proving {what}", 0.85 + 0.05 * done)

        request = self._request
        result.proofs = prove_ground(base.version, head.version, request.cache, request.jobs, say)
        for each in result.proofs:
            for row, side in ((base, each.base), (head, each.head)):
                assert row.survey is not None
                for signature, exhibit in each.exhibits(side):
                    row.survey.exhibits.setdefault(signature, exhibit)
            if each.shortfall:
                result.shortfalls.append(f"proving {each.name}: {each.shortfall}")

    def _join(self, row: VersionRow, difference: Difference, runs: int) -> None:
        """Show a row's survey a fault that the comparison met in it."""
        case = difference.after if difference.change is Change.NEW_VIOLATION else difference.before
        if row.survey is None or case is None or difference.signature in row.survey.exhibits:
            return
        with CaseAsker() as asker, suppress(DiedError, InputError):
            for violation in asker.judge(case, START_SECONDS).violations:
                if violation.signature == difference.signature:
                    at = max(1, runs // max(1, difference.runs))
                    exhibit = Exhibit(violation, case, difference.runs, at)
                    row.survey.exhibits[difference.signature] = exhibit

    def _shortfalls(self, result: CheckResult) -> None:
        base, head = result.base.survey, result.head.survey
        if not result.changes or base is None or head is None:
            return
        if not base.judged or not head.judged:
            result.shortfalls.append("no schedule was judged")
        missed = sum(base.turns) - sum(head.turns)
        if missed > 0:
            result.shortfalls.append(f"the head had no time for {missed} of the base's turns")
        if head.deaths > base.deaths:
            died = head.deaths - base.deaths
            result.shortfalls.append(f"{died} processes died that lived with the base")

    def _effects(self, result: CheckResult) -> None:
        """What came, what went, and what only passed through."""
        base, head = result.base, result.head
        if base.survey is None or head.survey is None or not result.changes:
            return
        came = _only(head.survey, base.survey)
        went = _only(base.survey, head.survey)
        middle = {
            signature: (row, exhibit)
            for row in result.rows[1:-1]
            if row.survey is not None
            for signature, exhibit in row.survey.exhibits.items()
            if signature not in base.survey.exhibits and signature not in head.survey.exhibits
        }
        total = max(1, len(came) + len(went) + len(middle))
        done = 0

        def tick(what: str) -> None:
            nonlocal done
            self._say(what, 0.85 + 0.15 * done / total)
            done += 1

        with ThreadPoolExecutor(self._request.jobs) as pool:
            small = list(pool.map(self._smaller, _faces(came)))
            for exhibit, sought in zip(small, pool.map(self._seeker(base), small), strict=True):
                tick(f"looking for {exhibit.violation.oracle} on the base")
                if sought.exhibit is not None:
                    base.survey.exhibits[exhibit.violation.signature] = sought.exhibit
                else:
                    by = self._first(result, exhibit)
                    result.new.append(Effect(exhibit, by, sought.schedules))
            for exhibit, sought in zip(went, pool.map(self._seeker(head), went), strict=True):
                tick(f"looking for {exhibit.violation.oracle} on the head")
                if sought.exhibit is not None:
                    head.survey.exhibits[exhibit.violation.signature] = sought.exhibit
                else:
                    by = self._last(result, exhibit)
                    result.gone.append(Effect(exhibit, by, sought.schedules))
        for row, exhibit in middle.values():
            tick(f"looking for {exhibit.violation.oracle} of {row.version.name}")
            tried = [self._sought(side.version, exhibit) for side in (base, head)]
            if all(each.exhibit is None for each in tried):
                schedules = sum(each.schedules for each in tried)
                result.passing.append(Effect(exhibit, row.version, schedules))
        for effects in (result.new, result.gone, result.passing):
            effects.sort(key=lambda each: _gravity(each.exhibit))

    def _seeker(self, row: VersionRow) -> Callable[[Exhibit], Sought]:
        return lambda exhibit: self._sought(row.version, exhibit)

    def _sought(self, version: Version, exhibit: Exhibit) -> Sought:
        schedules = min(max(SEARCH * exhibit.at, self._least), MOST_SEARCH)
        return seek(version, exhibit.violation.signature, exhibit.scenarios, schedules)

    def _smaller(self, face: tuple[Exhibit, bool]) -> Exhibit:
        """The same fault in a smaller case, if it is to be shown and one is found in time."""
        exhibit, shown = face
        if not shown:
            return exhibit
        signature = exhibit.violation.signature
        with CaseAsker() as asker, suppress(DiedError, InputError):
            smaller = asker.minimise(exhibit.case, signature, MINIMISE_SECONDS, START_SECONDS).case
            asker.renew()  # so many runs of strange code may have left anything behind
            judged = asker.judge(smaller, START_SECONDS)
            for violation in judged.violations:
                if violation.signature == signature:
                    return replace(
                        exhibit,
                        violation=violation,
                        case=judged.case,
                        found_in=exhibit.case.scenario,
                    )
        return exhibit

    def _first(self, result: CheckResult, exhibit: Exhibit) -> Version:
        """The version with which a fault of the head came."""
        return self._boundary(result, exhibit, shows=True)

    def _last(self, result: CheckResult, exhibit: Exhibit) -> Version:
        """The version with which a fault of the base went."""
        return self._boundary(result, exhibit, shows=False)

    def _boundary(self, result: CheckResult, exhibit: Exhibit, shows: bool) -> Version:
        """The oldest from which on all are as the head, which ``shows`` the fault or does not."""
        oldest = result.head.version
        for row in reversed(result.rows[1:-1]):
            if row.survey is None:
                continue
            shown = exhibit.violation.signature in row.survey.exhibits
            if not shown and row.version.key != oldest.key:
                shown = self._sought(row.version, exhibit).exhibit is not None
            if shown is not shows:
                break
            if not row.same_as or row.same_as != result.base.version.name:
                oldest = row.version
        return oldest


def _only(one: Survey, other: Survey) -> list[Exhibit]:
    """What one shows and the other does not, the gravest first."""
    only = [each for name, each in one.exhibits.items() if name not in other.exhibits]
    return sorted(only, key=_gravity)


def _faces(exhibits: Sequence[Exhibit]) -> list[tuple[Exhibit, bool]]:
    """Each exhibit, and whether it is the one that is shown for its oracle: the easiest to see."""
    seen: set[str] = set()
    faces = []
    for each in exhibits:
        faces.append((each, each.violation.oracle not in seen))
        seen.add(each.violation.oracle)
    return faces


def _gravity(exhibit: Exhibit) -> tuple[int, int]:
    return GRAVITY[exhibit.violation.category], exhibit.at
