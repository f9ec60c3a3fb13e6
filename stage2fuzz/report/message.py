"""A run in writing: Markdown for an issue, plain text for a mail or a commit message."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case
from stage2fuzz.events import Event
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.report.columns import interleaving, verdict_text
from stage2fuzz.source import Stack, route

WIDTH: Final = 96
"""Characters of a line inside the code blocks of Markdown: what web pages show."""
MAIL_WIDTH: Final = 75
"""Characters of a line in a mail to a kernel list, and in a commit message."""


def markdown(
    case: Case,
    events: list[Event],
    violations: Sequence[Violation],
    width: int = WIDTH,
    full: bool = False,
    stacks: Sequence[Stack] = (),
) -> str:
    """Title, interleaving, verdicts, and the case to reproduce it with."""
    title = violations[0].rule if violations else "no violation"
    parts = [
        f"# {title}: {case.engine}",
        *(f"{violation.verdict} ({_tags(violation)}{_at(violation)})" for violation in violations),
        "```text\n" + interleaving(case, events, violations, width, full, stacks) + "```",
    ]
    if len(violations) > 1:
        parts.append("```text\n" + verdict_text(violations, width) + "```")
    parts += [
        "To reproduce, save this as `fault.case` and type `stage2fuzz run fault.case`:",
        "```text\n" + format_case(case) + "```",
    ]
    return "\n\n".join(parts) + "\n"


def mail(
    case: Case,
    events: list[Event],
    violations: Sequence[Violation],
    full: bool = False,
    stacks: Sequence[Stack] = (),
) -> str:
    """A subject, what is wrong, the interleaving, and the case, in lines of 75 characters.

    No line begins with ``#``, which git takes for a comment in a commit message. A case's own lines
    are never folded, or they could not be copied.
    """
    first = violations[0].rule if violations else "no violation"
    parts = [
        *wrap(f"Subject: {first} on {case.engine}", MAIL_WIDTH, subsequent_indent=" "),
        "",
        verdict_text(violations, MAIL_WIDTH),
        interleaving(case, events, violations, MAIL_WIDTH, full, stacks),
        *wrap(
            "To reproduce, save the lines below as fault.case and type "
            "'stage2fuzz run fault.case':",
            MAIL_WIDTH,
        ),
        "",
        format_case(case),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _at(violation: Violation) -> str:
    return f", at {route(violation.source)}" if violation.source else ""


def _tags(violation: Violation) -> str:
    return f"{violation.oracle}, {violation.category}, `{violation.signature}`"
