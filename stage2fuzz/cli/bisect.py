"""stage2fuzz bisect: which commit brought a finding, or ended it."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from stage2fuzz.case.case import Case
from stage2fuzz.check.bisect import Bisection, Bisector, Trial
from stage2fuzz.cli.exits import INCONCLUSIVE
from stage2fuzz.cli.named import load, stored
from stage2fuzz.cli.options import DEFAULT_DATABASE, CaseName, Database, Json
from stage2fuzz.cli.output import emit, say
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.cli.stores import open_store
from stage2fuzz.cli.tables import Table
from stage2fuzz.cli.trees import Cache
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.repository import Commit, Repository
from stage2fuzz.session.apart import run_apart


def bisect(
    case: CaseName,
    repository: Annotated[Path, typer.Argument(metavar="REPO", help="A git repository.")],
    commits: Annotated[
        str, typer.Argument(metavar="GOOD..BAD", help="One end shows the fault, the other not.")
    ],
    signature: Annotated[
        str, typer.Option(help="Of a case file that shows several faults; else its first.")
    ] = "",
    cache: Cache = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Find the commit that brought a fault, or that ended it; a finding keeps both."""
    old, dots, new = commits.partition("..")
    if not dots or not old:
        raise InputError(commits[:80], "is no range of commits", "GOOD..BAD")
    finding, found = stored(case, database), Repository(repository)
    loaded = load(case, finding)
    ends = [found.commit(name) for name in (old, new or "HEAD")]
    wanted = finding.signature if finding is not None else signature or _shown(loaded, found, ends)
    with ProgressLine(as_json) as progress:
        bisector = Bisector(found, loaded, wanted, progress.update, cache)
        result = bisector.run(ends[0].id, ends[1].id)
    if finding is not None and result.commit is not None:
        with open_store(database) as store:
            store.bisected(finding.id, f"{result.commit} {result.commit.date}", result.fixed)
    if as_json:
        emit(to_record(result))
    else:
        _print(result)
    raise typer.Exit(0 if result.commit is not None else INCONCLUSIVE)


def _shown(case: Case, repository: Repository, ends: list[Commit]) -> str:
    """The first fault that a case file shows, on its own engine or on either end of the range."""
    engines = [f"kernel:{repository.path}@{each.short}" for each in reversed(ends)]
    refusal = InputError(case.engine, "the case shows no violation", "--signature SIGNATURE")
    for engine in (case.engine, *engines):
        try:
            violations = run_apart(replace(case, engine=engine)).violations
        except InputError as error:  # its own tree is gone, or this end does not build
            refusal = error
            continue
        if violations:
            return violations[0].signature
    raise refusal


def to_record(result: Bisection) -> dict[str, object]:
    """For a program."""
    return {
        "signature": result.signature,
        "question": "fixed by" if result.fixed else "introduced by",
        "commit": None if result.commit is None else _commit(result.commit),
        "candidates": [_commit(each) for each in result.candidates],
        "trials": [_commit(each.commit) | _trial(each) for each in result.trials],
        "seconds": round(result.seconds, 1),
    }


def _commit(commit: Commit) -> dict[str, object]:
    return {"commit": commit.id, "title": commit.title, "date": commit.date}


def _trial(trial: Trial) -> dict[str, object]:
    return {"shows": trial.shows, "schedules": trial.schedules, "failure": trial.failure}


def _print(result: Bisection) -> None:
    table = Table("commit", "date", "fault", "title", fold=True)
    for each in result.trials:
        said = "does not build"
        if each.shows is not None:
            seen = f"after {each.schedules:,}" if each.shows else f"not in {each.schedules:,}"
            said = f"{'shown' if each.shows else 'absent'} {seen}"
        table.add(each.commit.short, each.commit.date, said, each.commit.title)
    table.show()
    print()
    what = "fixed by" if result.fixed else "introduced by"
    if result.commit is not None:
        say(f"{what} {result.commit} of {result.commit.date}, by {result.commit.author}")
        return
    say(f"{what} one of these; commits between them do not build:")
    for commit in result.candidates:
        say(f"  {commit} of {commit.date}", indent="    ")
