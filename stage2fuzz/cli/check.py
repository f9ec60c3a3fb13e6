"""stage2fuzz check: what a patch or a series adds, before it is sent."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Final

import typer

from stage2fuzz.case.text import format_case
from stage2fuzz.check.check import CheckRequest
from stage2fuzz.check.forms import (
    CELLS,
    Exposition,
    absence,
    answer,
    cell,
    lines,
    maybe,
    news,
    not_seen,
    otherwise,
    to_junit,
    to_markdown,
    to_record,
    to_sarif,
    to_whole,
)
from stage2fuzz.check.mailbox import of_mailbox, repository_of
from stage2fuzz.check.proofs import summary, verdicts
from stage2fuzz.check.result import CLEAN, FOUND, INCONCLUSIVE, CheckResult, Effect, grouped
from stage2fuzz.check.version import Version, of_engines, of_range
from stage2fuzz.check.whole import check_whole
from stage2fuzz.cli.kept_proofs import kept_proofs
from stage2fuzz.cli.options import DATABASE_VARIABLE, MAX_SECONDS, Jobs, Json, check_range, cores
from stage2fuzz.cli.output import emit, say, width, write
from stage2fuzz.cli.program import hint
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.cli.stores import open_store
from stage2fuzz.cli.streams import complain
from stage2fuzz.cli.tables import Table
from stage2fuzz.cli.trees import Cache
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.repository import Repository
from stage2fuzz.process.end import DiedError
from stage2fuzz.prove.ledger import row_of
from stage2fuzz.prove.statement import statement
from stage2fuzz.report import event_log
from stage2fuzz.session.apart import run_apart

MAX_SEED: Final = 10**9
PARTS: Final = ("", "el2")
"""Folders of the answers below ``--output``: of stage 2, and of EL2 where a patch touches it."""
MOST_OTHERWISE: Final = 8
"""Differences of behaviour that are printed."""
_ENGINE: Final = re.compile(r"(?:model|kernel):")


def check(
    subject: Annotated[
        str, typer.Argument(metavar="REPO", help="A git repository, a tree, or model:REVISION.")
    ],
    against: Annotated[
        str,
        typer.Argument(
            metavar="[BASE..HEAD|AFTER]",
            help="Commits; with --mbox the BASE; or the tree or model after the change.",
        ),
    ] = "",
    mbox: Annotated[
        Path | None, typer.Option(help="Check these mails on top of BASE, or of HEAD.")
    ] = None,
    seconds: Annotated[
        int, typer.Option(help="How long to explore the base; the others take the same turns.")
    ] = 20,
    prove: Annotated[
        bool,
        typer.Option("--prove", help="Prove base and head in small scenarios, too (+ 1 minute)."),
    ] = False,
    jobs: Jobs = 0,
    seed: Annotated[int, typer.Option(help="Of scenarios and schedules.")] = 1,
    cache: Cache = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for check.md, .json, .sarif, .xml (JUnit) and a case a fault."),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(envvar=DATABASE_VARIABLE, help="Where new findings are kept, if anywhere."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a patch or a series adds: new faults (exit 1), faults that went away."""
    check_range("--seconds", seconds, 1, MAX_SECONDS)
    check_range("--seed", seed, 0, MAX_SEED)
    request = CheckRequest(seconds, cores(jobs), seed, cache, prove)
    with _versions(subject, against, mbox) as versions:
        with ProgressLine(as_json) as progress:
            results = check_whole(versions, request, progress.update)
        records = []
        for part, result in zip(PARTS, results, strict=False):
            shown = [_exposed(group) for group in grouped(result.new)]
            names: list[str] = []
            if output is not None:
                names = _write(output / part, result, shown)
            if database is not None:
                names = [str(number) for number in _kept(shown, result.base.version, database)]
                _keep_proofs(result, database)
            records.append(to_record(result, shown))
            if not as_json:
                if part:
                    print("\nEL2 of pKVM:")
                _print(result, shown, names, database or "")
    if as_json:
        emit(to_whole(records))
    for line in (line for result in results for line in result.shortfalls):
        complain(f"stage2fuzz: inconclusive: {line}")
    codes = {result.exit_code for result in results}
    raise typer.Exit(next(code for code in (FOUND, INCONCLUSIVE, CLEAN) if code in codes))


@contextmanager
def _versions(subject: str, against: str, mbox: Path | None) -> Iterator[list[Version]]:
    """The versions to look at; what was made for the moment is gone afterwards."""
    path = Path(subject)
    if mbox is not None:
        with repository_of(path) as repository:
            versions = of_mailbox(repository, against, mbox)
            if not Repository.is_at(path):
                versions[0] = replace(versions[0], title=subject, engine=f"kernel:{path}")
            yield versions
    elif ".." not in against and (against or ":" in subject):
        yield _two(subject, against)
    elif Repository.is_at(path):
        yield of_range(Repository(path), against)
    else:
        right = "a git repository; or two trees; or --mbox FILE"
        what = "no git repository" if path.is_dir() else "there is no such folder"
        raise InputError(subject, what, right)


def _two(base: str, head: str) -> list[Version]:
    """Two trees, or two engines by their names."""
    if not head:
        raise InputError(
            base, "needs a second engine to be held against", "model:v5.10 model:v5.12"
        )
    names = [each if _ENGINE.match(each) else f"kernel:{each}" for each in (base, head)]
    return of_engines(*names)


def _exposed(group: Sequence[Effect]) -> Exposition:
    """Run the first of a group once more, to be shown."""
    case = group[0].exhibit.case
    try:
        outcome = run_apart(case)
    except (DiedError, InputError):  # it died again, or no proof lets its build be opened
        outcome = None
    return Exposition(group[0], len(group) - 1, outcome)


def _kept(shown: Sequence[Exposition], base: Version, database: str) -> list[int]:
    """Record each new fault with the patch that brought it; their numbers."""
    numbers = []
    with open_store(database, create=True) as store:
        for each in shown:
            log = event_log(each.outcome.events) if each.outcome is not None else ""
            exhibit = each.effect.exhibit
            number = store.record(exhibit.case, exhibit.violation, log).number
            store.confirm(number, 1, 1, build=exhibit.case.build)
            store.attach_minimised(number, exhibit.case)
            if origin := _origin(each.effect.by, base):
                store.bisected(number, origin, fixed=False)
            numbers.append(number)
    return numbers


def _keep_proofs(result: CheckResult, database: str) -> None:
    """Record what was proved of base and head."""
    with kept_proofs(database) as keep:
        for each in result.proofs:
            for version, proof in (
                (result.base.version, each.base),
                (result.head.version, each.head),
            ):
                build = version.library.key if version.library is not None else ""
                keep(row_of(each.name, proof), proof.request, build, statement(proof))


def _origin(by: Version, base: Version) -> str:
    """Which patch brought a fault, for its report; empty where that is no patch."""
    if by.commit is not None:
        return f"{by.commit} {by.commit.date}"
    return f'"{by.title}" on {base.commit}' if base.commit is not None else ""


def _write(folder: Path, result: CheckResult, shown: Sequence[Exposition]) -> list[str]:
    """All forms of the answer, and each new fault's case; the names of the cases."""
    write(folder / "check.json", json.dumps(to_record(result, shown), indent=1) + "\n")
    write(folder / "check.md", to_markdown(result, shown))
    write(folder / "check.sarif", to_sarif(result, shown))
    write(folder / "check.xml", to_junit(result, shown))
    names = [str(folder / f"new-{number}.case") for number in range(1, len(shown) + 1)]
    for name, each in zip(names, shown, strict=True):
        write(Path(name), format_case(each.effect.exhibit.case))
    for number, difference in enumerate(result.untried(), 1):
        if difference.after is not None:
            write(folder / f"untried-{number}.case", format_case(difference.after))
    return names


def _print(
    result: CheckResult, shown: Sequence[Exposition], names: Sequence[str], database: str
) -> None:
    """For a person: the table, then what is new, what went, and what to type next."""
    say(f"{answer(result)}: {_span(result)}, {result.seconds:.0f} s")
    _print_table(result)
    for row in result.rows:
        if row.version.failure:
            say(f"{row.version.name} does not build: {row.version.failure}", indent="  ")
    _print_new(shown, names, database)
    for title, effects, side in (
        ("went away", result.gone, "head"),
        ("only between base and head", result.passing, "base or head"),
    ):
        if effects:
            print(f"\n{title}:")
        for line in lines(effects, side):
            say(f"  {line}", indent="    ")
    if result.proofs:
        print()
        say(f"proofs: {summary(result.proofs)}", indent="  ")
        for line in verdicts(result.proofs):
            say(f"  {line}", indent="    ")
    _print_behaviour(result)
    if result.unseen:
        print()
        say(not_seen(result), indent="  ")
    if names and database:
        print(f"\nnext: {hint(f'report {names[0]}', database)}  a mail for the list")
        print(f"      {hint('serve', database)}  the page: steps, source, TLBs")


def _print_behaviour(result: CheckResult) -> None:
    """What came out otherwise and breaks no rule, and what may."""
    if result.behaviour():
        print("\nbehaves otherwise, and no rule is broken by it:")
    for difference in result.behaviour()[:MOST_OTHERWISE]:
        say(f"  {otherwise(difference)}", indent="    ")
    if len(result.behaviour()) > MOST_OTHERWISE:
        say(f"  {len(result.behaviour()) - MOST_OTHERWISE} more: --json, --output")
    if result.untried():
        print("\nmay behave otherwise; no rule is broken by it, and there was no time to try it:")
    for line in maybe(result):
        say(f"  {line}", indent="    ")


def _print_new(shown: Sequence[Exposition], names: Sequence[str], database: str) -> None:
    """Each new fault, and the interleaving of the first."""
    for each, name in zip(shown, names or [""] * len(shown), strict=True):
        effect = each.effect
        print()
        say(f"new with {effect.by.name}, {_titled(effect.by)}: {each.head}")
        say("  " + effect.exhibit.violation.verdict, indent="  ")
        say(f"  {absence(effect, 'base')}.", indent="  ")
        if each.where:
            say(f"  at {each.where}")
        if name:
            say(f"  {hint(f'replay {name}', database)}")
    if shown and shown[0].outcome is not None:
        print()
        print(shown[0].steps(width()), end="")


def _print_table(result: CheckResult) -> None:
    """A row a version, a column an oracle with something new or gone."""
    oracles = result.moving()
    if oracles or len(result.rows) > 2:
        table = Table("", "patch", *oracles, "new")
        cells = [[cell(row, each) for each in oracles] for row in result.rows]
        room = width() - 16 - sum(2 + max(map(len, each)) for each in zip(*cells, strict=True))
        for row, told in zip(result.rows, cells, strict=True):
            title = shorten(row.version.title, max(16, room), placeholder="...")
            table.add(row.version.name, title, *told, news(result, row))
        print()
        table.show()
        say(CELLS)
    if result.changes and result.steady():
        say(f"As before: {', '.join(result.steady())}.")


def _titled(version: Version) -> str:
    return str(version.commit) if version.commit is not None else version.title


def _span(result: CheckResult) -> str:
    base, head = result.base.version, result.head.version
    patches = len(result.rows) - 1
    what = f"{patches} patch{'es' * (patches != 1)}"
    if base.commit is None:
        return f"{base.engine} to {head.engine}"
    if head.commit is None:  # of a mailbox: no commit yet
        return f"{what} on {base.commit.short}"
    return f"{what}, {base.commit.short}..{head.commit.short}"
