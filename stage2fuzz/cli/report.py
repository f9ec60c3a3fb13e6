"""stage2fuzz report: findings in the form that somebody else reads."""

from pathlib import Path
from typing import Annotated

import typer

from stage2fuzz.cli.named import load, stored
from stage2fuzz.cli.options import DEFAULT_DATABASE, Database
from stage2fuzz.cli.output import write
from stage2fuzz.cli.stores import open_store
from stage2fuzz.errors import InputError
from stage2fuzz.session.display import FORMS, SINGLE, Display, ReportForm, display


def report(
    subject: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="A finding's number, or a case file.")
    ] = "",
    form: Annotated[ReportForm, typer.Option("--format", help="Of the report.")] = ReportForm.MAIL,
    campaign: Annotated[str, typer.Option(help="All findings of this campaign.")] = "",
    known: Annotated[
        bool, typer.Option("--known", help="The shipped list of known faults; needs no database.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to this file.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Write findings, or those known already, as mail, Markdown, HTML, SVG, JSON, SARIF, JUnit."""
    if bool(subject) + bool(campaign) + known != 1:
        right = "ID, FILE, --campaign NAME or --known"
        raise InputError("report", "needs one thing to report", right)
    if known:
        from stage2fuzz.known import known_causes
        from stage2fuzz.session.known_list import KNOWN_FORMS

        _hand_out(KNOWN_FORMS[form](known_causes()), output)
        return
    names = [subject] if subject else _of_campaign(campaign, database)
    if form in SINGLE and len(names) != 1:
        raise InputError("--format", f"{form} holds one run, and there are {len(names)}", "an ID")
    _hand_out(FORMS[form]([_shown(name, database) for name in names]), output)


def _hand_out(text: str, output: Path | None) -> None:
    if output is None:
        print(text, end="")
    else:
        write(output, text)


def _of_campaign(name: str, database: str) -> list[str]:
    from stage2fuzz.findings.campaigns import named
    from stage2fuzz.findings.sightings import findings_of

    with open_store(database) as store:
        return [str(each.id) for each in findings_of(store.engine, named(store.engine, name).id)]


def _shown(name: str, database: str) -> Display:
    finding = stored(name, database)
    return display(load(name, finding), finding)
