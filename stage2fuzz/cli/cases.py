"""stage2fuzz run, replay and minimise: one case at a time."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from stage2fuzz import report
from stage2fuzz.case.text import format_case
from stage2fuzz.cli.builds import check_build, warn_of_build
from stage2fuzz.cli.exits import FOUND
from stage2fuzz.cli.named import is_number, load, stored
from stage2fuzz.cli.options import DEFAULT_DATABASE, CaseName, Database, Json, check_range
from stage2fuzz.cli.output import emit, width, write
from stage2fuzz.cli.stores import open_store
from stage2fuzz.minimise import BUDGET
from stage2fuzz.report import event_log, run_record, sequence_svg, text
from stage2fuzz.run import Outcome
from stage2fuzz.session.apart import minimise_apart, run_apart

EngineOption = Annotated[str, typer.Option(help="Run it on this engine instead of the case's own.")]
Full = Annotated[bool, typer.Option("--full", help="Show every step.")]
Svg = Annotated[Path | None, typer.Option(help="Write a sequence diagram to this file.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown for an issue.")]
Mail = Annotated[
    bool,
    typer.Option("--mail", help="Print plain text of 75 columns for a mail or a commit message."),
]
Log = Annotated[bool, typer.Option("--log", help="Print the plain event log.")]


@dataclass(frozen=True, slots=True)
class Form:
    """In which form a run is printed; none of them: in columns, for the terminal."""

    markdown: bool
    mail: bool
    log: bool
    as_json: bool


def run_case(
    case: Annotated[Path, typer.Argument(help="Path of a case file.")],
    engine: EngineOption = "",
    full: Full = False,
    markdown: Markdown = False,
    mail: Mail = False,
    log: Log = False,
    svg: Svg = None,
    as_json: Json = False,
) -> None:
    """Run a case file and judge what happens."""
    _run(str(case), engine, DEFAULT_DATABASE, full, Form(markdown, mail, log, as_json), svg)


def replay(
    case: CaseName,
    engine: EngineOption = "",
    full: Full = False,
    markdown: Markdown = False,
    mail: Mail = False,
    log: Log = False,
    svg: Svg = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Replay a finding's reproducer, or a case file: the interleaving in columns."""
    _run(case, engine, database, full, Form(markdown, mail, log, as_json), svg)


def _run(
    name: str,
    engine: str,
    database: str,
    full: bool,
    form: Form,
    svg: Path | None,
) -> None:
    finding = stored(name, database)
    case = load(name, finding)
    if engine:
        case = replace(case, engine=engine)
    warn_of_build(_what(name), case)
    outcome = run_apart(case)
    check_build(_what(name), case, outcome, finding)
    shown = (outcome.case, outcome.events, outcome.violations)
    if svg is not None:
        write(svg, sequence_svg(*shown, stacks=outcome.stacks))
    if form.as_json:
        emit(_record(outcome))
    elif form.log:
        print(event_log(outcome.events), end="")
    elif form.markdown:
        print(report.markdown(*shown, full=full, stacks=outcome.stacks), end="")
    elif form.mail:
        print(report.mail(*shown, full=full, stacks=outcome.stacks), end="")
    else:
        print(f"{_title(name, outcome)}\n")
        print(text(*shown, width(), full, outcome.stacks), end="")
        if outcome.ended != "finished":
            print(f"the run ended by {outcome.ended}: what it did not show is inconclusive")
    raise typer.Exit(FOUND if outcome.violations else 0)


def _title(name: str, outcome: Outcome) -> str:
    """What was run, and how much of it there is to read."""
    threads, preemptions = outcome.case.scenario.threads, outcome.preemptions
    return (
        f"{_what(name)}: {threads} thread{'s' * (threads != 1)}, {len(outcome.events)} events, "
        f"{preemptions} preemption{'s' * (preemptions != 1)}"
    )


def _what(name: str) -> str:
    return f"finding {name}" if is_number(name) else name


def _record(outcome: Outcome) -> dict[str, object]:
    return {
        "case": format_case(outcome.case),
        "ended": outcome.ended,
        "limit": outcome.limit,
        "preemptions": outcome.preemptions,
        **run_record(outcome.events, outcome.violations, outcome.stacks),
    }


def minimise_case(
    case: CaseName,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the result here.")
    ] = None,
    budget: Annotated[int, typer.Option(help="Replays it may cost at most.")] = BUDGET,
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Find the simplest case with the same fault; a finding keeps it in the database.

    That of another example, ``ID.N``, is printed and not kept: it would take the place of a simpler
    one.
    """
    check_range("--budget", budget, 1, 10_000_000)
    finding = stored(case, database)
    loaded = load(case, finding)
    warn_of_build(_what(case), loaded)
    smallest = minimise_apart(loaded, finding.signature if finding else "", budget)
    if finding is not None and case.isdecimal():  # another example's is no reproducer of ours
        with open_store(database) as store:
            store.attach_minimised(finding.id, smallest.case)
    written = format_case(smallest.case)
    if output is not None:
        write(output, written)
    print(written, end="")
    end = "nothing simpler keeps the fault" if smallest.finished else "the budget ended it"
    print(f"# {smallest.preemptions} preemptions, {smallest.tries} replays; {end}")
