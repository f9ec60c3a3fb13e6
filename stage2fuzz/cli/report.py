"""stage2fuzz report: findings in the form that somebody else reads."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stage2fuzz import __version__
from stage2fuzz.cli.named import finding_number, load, stored
from stage2fuzz.cli.options import DEFAULT_DATABASE, Database
from stage2fuzz.cli.output import iso, write
from stage2fuzz.errors import InputError
from stage2fuzz.process.end import DiedError
from stage2fuzz.report import event_record, mail, markdown, sequence_svg
from stage2fuzz.report.junit import SuiteCase, junit
from stage2fuzz.report.letter import letter
from stage2fuzz.report.page import page
from stage2fuzz.report.sarif import Remark, sarif
from stage2fuzz.run import Outcome
from stage2fuzz.session.apart import run_apart

if TYPE_CHECKING:
    from stage2fuzz.findings.models import Finding


class ReportForm(StrEnum):
    """In which form."""

    MAIL = "mail"
    MD = "md"
    HTML = "html"
    SVG = "svg"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"


@dataclass(frozen=True, slots=True)
class Display:
    """A finding, or a case of a file, that was run to be shown."""

    outcome: Outcome
    facts: dict[str, str]


SINGLE: Final = (ReportForm.HTML, ReportForm.SVG)
"""Forms of which one file holds one run."""


def report(
    subject: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="A finding's number, or a case file.")
    ] = "",
    form: Annotated[ReportForm, typer.Option("--format", help="Of the report.")] = ReportForm.MAIL,
    campaign: Annotated[str, typer.Option(help="All findings of this campaign.")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to this file.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Write a finding, or a campaign's, as a mail, Markdown, HTML, SVG, JSON, SARIF or JUnit."""
    if bool(subject) == bool(campaign):
        raise InputError("report", "needs one thing to report", "ID, FILE or --campaign NAME")
    names = [subject] if subject else _of_campaign(campaign, database)
    if form in SINGLE and len(names) != 1:
        raise InputError("--format", f"{form} holds one run, and there are {len(names)}", "an ID")
    text = _FORMS[form]([_display(name, database) for name in names])
    if output is None:
        print(text, end="")
    else:
        write(output, text)


def _of_campaign(name: str, database: str) -> list[str]:
    from stage2fuzz.findings.campaigns import named  # noqa: PLC0415  (a file needs no database)
    from stage2fuzz.findings.sightings import findings_of  # noqa: PLC0415
    from stage2fuzz.findings.store import Store  # noqa: PLC0415

    with Store.open(database, create=False) as store:
        return [str(each.id) for each in findings_of(store.engine, named(store.engine, name).id)]


def _display(name: str, database: str) -> Display:
    """Run what is to be shown once more; a finding's own fault first."""
    finding = stored(name, database)
    case = load(name, finding)
    try:
        outcome = run_apart(case)
    except DiedError as died:
        raise InputError(name, f"its case ends the process that runs it: {died}") from None
    facts = {"engine": case.engine}
    if case.build:
        facts["build"] = case.build
    if finding is not None:
        facts = _facts(finding) | facts
        wanted = [each for each in outcome.violations if each.signature == finding.signature]
        others = [each for each in outcome.violations if each.signature != finding.signature]
        outcome = replace(outcome, violations=(*wanted, *others))
    return Display(outcome, facts)


def _facts(finding: "Finding") -> dict[str, str]:
    """What is known of a finding beside its run."""
    told = {
        "finding": f"#{finding_number(str(finding.id))}, {finding.state}",
        "seen": f"{finding.count:,} times since {iso(finding.first_seen)}",
        "reproduced": f"{finding.confirmations} of {finding.attempts} runs from scratch",
        "introduced by": finding.introduced_by,
        "fixed by": finding.fixed_by,
        "first seen in": finding.first_seen_in,
        "fixed in": finding.fixed_in,
    }
    return {name: text for name, text in told.items() if text}


def _title(each: Display) -> str:
    violations = each.outcome.violations
    return f"{violations[0].oracle} {violations[0].rule}" if violations else "no violation"


def _mails(shown: Sequence[Display]) -> str:
    letters = [
        letter(
            {name.capitalize(): text for name, text in each.facts.items()},
            each.outcome.case,
            each.outcome.events,
            each.outcome.violations,
            each.outcome.stacks,
        )
        for each in shown
    ]
    return ("\n" + "-" * 75 + "\n\n").join(letters)


def _markdown(shown: Sequence[Display]) -> str:
    runs = [each.outcome for each in shown]
    return "\n".join(
        markdown(run.case, run.events, run.violations, stacks=run.stacks) for run in runs
    )


def _html(shown: Sequence[Display]) -> str:
    (each,) = shown
    run = each.outcome
    return page(_title(each), each.facts, run.case, run.events, run.violations, run.stacks)


def _svg(shown: Sequence[Display]) -> str:
    (each,) = shown
    run = each.outcome
    return sequence_svg(run.case, run.events, run.violations, stacks=run.stacks)


def _json(shown: Sequence[Display]) -> str:
    from stage2fuzz.case.text import format_case  # noqa: PLC0415

    records = [
        {
            "facts": each.facts,
            "case": format_case(each.outcome.case),
            "violations": [
                {
                    "oracle": violation.oracle,
                    "rule": violation.rule,
                    "category": str(violation.category),
                    "verdict": violation.verdict,
                    "signature": violation.signature,
                    "events": list(violation.events),
                    "source": [line.to_record() for line in violation.source],
                }
                for violation in each.outcome.violations
            ],
            "events": [
                event_record(event, each.outcome.stacks[number] if each.outcome.stacks else ())
                for number, event in enumerate(each.outcome.events)
            ],
        }
        for each in shown
    ]
    return json.dumps(records, indent=1) + "\n"


def _sarif(shown: Sequence[Display]) -> str:
    remarks = [
        Remark(
            violation.oracle,
            violation.rule,
            str(violation.category),
            violation.verdict,
            violation.signature,
            file=violation.source[0].file if violation.source else "",
            line=violation.source[0].line if violation.source else 0,
        )
        for each in shown
        for violation in each.outcome.violations[:1]
    ]
    return sarif(remarks, __version__)


def _junit(shown: Sequence[Display]) -> str:
    tests = []
    for each in shown:
        outcome = each.outcome
        failure = ""
        if outcome.violations:
            told = mail(outcome.case, outcome.events, outcome.violations, stacks=outcome.stacks)
            failure = f"{outcome.violations[0].verdict}\n{told}"
        name = outcome.violations[0].signature if outcome.violations else outcome.case.engine
        tests.append(SuiteCase(outcome.case.engine, name, failure))
    return junit("stage2fuzz findings", tests, 0.0)


_FORMS: Final[dict[ReportForm, Callable[[Sequence[Display]], str]]] = {
    ReportForm.MAIL: _mails,
    ReportForm.MD: _markdown,
    ReportForm.HTML: _html,
    ReportForm.SVG: _svg,
    ReportForm.JSON: _json,
    ReportForm.SARIF: _sarif,
    ReportForm.JUNIT: _junit,
}
