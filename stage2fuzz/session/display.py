"""A finding or a case as others read it: run once more, in the form that was asked for.

The command ``report`` and the page both show findings; what they show is made here, once.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from stage2fuzz import __version__
from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case
from stage2fuzz.errors import InputError
from stage2fuzz.process.end import DiedError
from stage2fuzz.report import mail, markdown, run_record, sequence_svg
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


def display(
    case: Case, finding: "Finding | None" = None, run: Callable[[Case], Outcome] = run_apart
) -> Display:
    """``run`` what is to be shown once more; a finding's own fault first.

    InputError where the case ends the process that runs it.
    """
    try:
        outcome = run(case)
    except DiedError as died:
        raise InputError(case.engine, f"the case ends the process that runs it: {died}") from None
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
    from stage2fuzz.findings.real import in_words  # noqa: PLC0415  (a file needs no database)

    told = {
        "finding": f"#{finding.id}, {finding.state}",
        "seen": f"{finding.count:,} time{'s' * (finding.count != 1)} since "
        f"{_moment(finding.first_seen)}",
        "reproduced": f"{finding.confirmations} of {finding.attempts} runs from scratch",
        "on real kernels": "; ".join(map(in_words, finding.real)),
        "introduced by": finding.introduced_by,
        "fixed by": finding.fixed_by,
        "first seen in": finding.first_seen_in,
        "fixed in": finding.fixed_in,
    }
    return {name: text for name, text in told.items() if text}


def _title(each: Display) -> str:
    violations = each.outcome.violations
    return f"{violations[0].oracle} {violations[0].rule}" if violations else "no violation"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


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
    told = []
    for each in shown:
        run = each.outcome
        facts = "".join(f"- {name}: {text}\n" for name, text in each.facts.items())
        body = markdown(run.case, run.events, run.violations, stacks=run.stacks)
        told.append(f"{body}\n{facts}")
    return "\n".join(told)


def _html(shown: Sequence[Display]) -> str:
    (each,) = shown
    run = each.outcome
    return page(_title(each), each.facts, run.case, run.events, run.violations, run.stacks)


def _svg(shown: Sequence[Display]) -> str:
    (each,) = shown
    run = each.outcome
    return sequence_svg(run.case, run.events, run.violations, stacks=run.stacks)


def _json(shown: Sequence[Display]) -> str:
    records = [
        {
            "facts": each.facts,
            "case": format_case(each.outcome.case),
            **run_record(each.outcome.events, each.outcome.violations, each.outcome.stacks),
        }
        for each in shown
    ]
    return json.dumps(records, indent=1) + "\n"


def _sarif(shown: Sequence[Display]) -> str:
    remarks = [
        Remark.of(violation, at=violation.source[0] if violation.source else None)
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


FORMS: Final[dict[ReportForm, Callable[[Sequence[Display]], str]]] = {
    ReportForm.MAIL: _mails,
    ReportForm.MD: _markdown,
    ReportForm.HTML: _html,
    ReportForm.SVG: _svg,
    ReportForm.JSON: _json,
    ReportForm.SARIF: _sarif,
    ReportForm.JUNIT: _junit,
}
