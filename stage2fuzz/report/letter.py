"""A finding as a mail to a kernel list: plain text of 75 columns, ready to be read and answered."""

from collections.abc import Mapping, Sequence
from textwrap import wrap

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case
from stage2fuzz.events import Event
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.report.columns import interleaving, verdict_text
from stage2fuzz.report.message import MAIL_WIDTH
from stage2fuzz.source import Stack, route


def letter(
    facts: Mapping[str, str],
    case: Case,
    events: list[Event],
    violations: Sequence[Violation],
    stacks: Sequence[Stack] = (),
) -> str:
    """Subject, what happens, how it is known, the interleaving, how to reproduce it, the case.

    ``facts`` are lines such as ``Introduced by: ...``. A case's own lines are never
    folded, or they could not be copied.
    """
    first = violations[0] if violations else None
    rule = first.rule if first is not None else "no violation"
    subject = f"Subject: [BUG] KVM: arm64: stage-2: {rule}"
    parts = [*wrap(subject, MAIL_WIDTH, subsequent_indent=" "), "", "Hi,", ""]
    if first is not None:
        parts += [*wrap(first.verdict, MAIL_WIDTH), ""]
        if first.source:
            parts += [*wrap(f"At {route(first.source)}.", MAIL_WIDTH), ""]
    for name, text in facts.items():
        parts += wrap(f"{name}: {text}", MAIL_WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    parts += ["", "The interleaving, one column a thread, numbered by event:", ""]
    parts += [interleaving(case, events, violations, MAIL_WIDTH, stacks=stacks)]
    parts += [verdict_text(violations, MAIL_WIDTH)]
    reproduce = (
        "To reproduce: save the lines below as fault.case, point its engine line at your tree "
        "(kernel:TREE), and type 'stage2fuzz replay fault.case'. The tree's own pgtable.c and "
        "mmu.c are compiled in user space and follow this schedule."
    )
    parts += [*wrap(reproduce, MAIL_WIDTH), "", format_case(case)]
    return "\n".join(line.rstrip() for line in "\n".join(parts).splitlines()).rstrip() + "\n"
