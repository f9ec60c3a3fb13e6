"""A run as Markdown: what a commit message, an issue or a mail says about a fault."""

from collections.abc import Sequence
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case
from stage2fuzz.events import Event
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.report.columns import interleaving, verdict_text

WIDTH: Final = 96
"""Characters of a line inside the code blocks: what web pages show; commit messages want 75."""


def markdown(
    case: Case,
    events: list[Event],
    violations: Sequence[Violation],
    width: int = WIDTH,
    full: bool = False,
) -> str:
    """Title, interleaving, verdicts, and the case to reproduce it with."""
    title = violations[0].rule if violations else "no violation"
    parts = [
        f"# {title}: {case.engine}",
        *(f"{violation.verdict} ({_tags(violation)})" for violation in violations),
        "```text\n" + interleaving(case, events, violations, width, full) + "```",
    ]
    if len(violations) > 1:
        parts.append("```text\n" + verdict_text(violations, width) + "```")
    parts += [
        "To reproduce, save this as `fault.case` and type `stage2fuzz run fault.case`:",
        "```text\n" + format_case(case) + "```",
    ]
    return "\n\n".join(parts) + "\n"


def _tags(violation: Violation) -> str:
    return f"{violation.oracle}, {violation.category}, `{violation.signature}`"
