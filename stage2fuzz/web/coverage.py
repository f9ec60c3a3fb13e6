"""Coverage for people: interleaving features by campaign, and lines of the user's tree by function.

Lines come from the compiler's edge counters as cases of the database run once more: the findings of
an engine, the shipped seeds, and the newest corpus of its campaigns. So they say what those cases
run, which is what the fuzzers kept, and not all that ever ran.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from stage2fuzz.case.codec import decode
from stage2fuzz.case.profile import profile_named
from stage2fuzz.case.text import format_case, read_case
from stage2fuzz.errors import InputError
from stage2fuzz.findings.coverage import kept_inputs
from stage2fuzz.findings.store import Store
from stage2fuzz.places import CORPUS
from stage2fuzz.source import SourceLine

MOST_INPUTS: Final = 400
"""Of the campaigns' corpora."""


@dataclass(slots=True)
class FileCoverage:
    """The lines of one file of the tree."""

    file: str
    lines: dict[int, bool] = field(default_factory=dict)
    """Line -> whether it was run; lines that can't be counted are left out."""
    functions: dict[str, dict[int, bool]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def run(self) -> int:
        """Lines that were run."""
        return sum(self.lines.values())

    def rows(self) -> list[tuple[str, int, int, int]]:
        """(function, its first line, lines run, lines) in the order of the file."""
        rows = [
            (name, min(lines), sum(lines.values()), len(lines))
            for name, lines in self.functions.items()
        ]
        return sorted(rows, key=lambda row: row[1])


def cases_for(store: Store, engine: str) -> list[str]:
    """The texts of the cases that are run: seeds, findings, corpora."""
    cases = []
    for path in sorted(CORPUS.glob("*/*.case")):
        try:
            cases.append(format_case(replace(read_case(path), engine=engine, build="")))
        except InputError:
            continue  # of a machine that this engine has not
    for finding in store.list(engine=engine):
        if finding.oracle == "CRASH":
            continue  # it would take the process down, and all that was counted with it
        cases += [finding.case_text, *(each.case_text for each in finding.examples)]
    for target, data in kept_inputs(store.engine, engine, MOST_INPUTS):
        try:
            cases.append(format_case(decode(data, engine, profile_named(target))))
        except InputError:
            continue
    return cases


def by_file(lines: Sequence[tuple[SourceLine, bool]]) -> list[FileCoverage]:
    """The files of the tree, in the order of their names."""
    files: dict[str, FileCoverage] = {}
    for place, hit in lines:
        mine = files.setdefault(place.file, FileCoverage(place.file))
        mine.lines[place.line] = mine.lines.get(place.line, False) or hit
        known = mine.functions[place.function]
        known[place.line] = known.get(place.line, False) or hit
    return [files[name] for name in sorted(files)]


def to_record(engine: str, cases: int, files: Sequence[FileCoverage]) -> dict[str, Any]:
    """For a program."""
    return {
        "engine": engine,
        "cases": cases,
        "files": [
            {
                "file": each.file,
                "lines": len(each.lines),
                "run": each.run,
                "not_run": sorted(line for line, hit in each.lines.items() if not hit),
            }
            for each in files
        ],
    }


Runs = Callable[[str, Sequence[str]], tuple[int, list[tuple[SourceLine, bool]]]]
"""Asks a confined process which lines some cases run."""


def lines_of(store: Store, engine: str, run: Runs) -> tuple[int, list[FileCoverage]]:
    """How many cases were run on an engine, and what they ran of each file."""
    cases, lines = run(engine, cases_for(store, engine))
    return cases, by_file(lines)
