"""What holds after one step, as a piece of HTML that is folded away until somebody asks."""

from collections.abc import Sequence
from html import escape

from stage2fuzz.report.entry import EntryWrite
from stage2fuzz.report.lanes import Moment
from stage2fuzz.source import Stack, route


def state_block(
    moment: Moment,
    names: Sequence[tuple[int, str]],
    excerpt: Sequence[tuple[int, str]],
    stack: Stack,
) -> str:
    """The entry that the step writes, locks, windows, what TLBs may still hold, and the source.

    Empty where there is nothing to say. ``names`` are the lanes' headings, ``excerpt`` the lines of
    the tree around the place of ``stack``.
    """
    heading = dict(names)
    parts = []
    if moment.entry is not None:
        parts.append(_entry_table(moment.entry))
    holders = [heading.get(each, str(each)) for each in sorted(moment.holders)]
    facts = [
        *([("mmu_lock", holders)] if holders else []),
        *([("broken, not made yet", list(moment.broken))] if moment.broken else []),
    ]
    for vcpu in sorted({vcpu for vcpu, _ in moment.cached}):
        held = [words for number, words in moment.cached if number == vcpu]
        facts.append((f"the TLB of {heading.get(vcpu, vcpu)} may still hold", held))
    for name, told in facts:
        parts.append(f"<p><b>{escape(name)}:</b> {escape('; '.join(told))}</p>")
    if stack:
        parts.append(f"<p><b>source:</b> {escape(route(stack))}</p>")
    if excerpt:
        parts.append(_excerpt(excerpt, stack[0].line))
    if not parts:
        return ""
    summary = "entry" if moment.entry is not None else "more"
    if moment.cached:
        summary += ", TLB"
    return f"<details><summary>{summary}</summary>{''.join(parts)}</details>"


def _entry_table(entry: EntryWrite) -> str:
    rows = []
    for name, old, new in entry.fields():
        moved = ' class="moved"' if old != new else ""
        rows.append(
            f'<tr{moved}><th scope="row">{escape(name)}</th>'
            f"<td>{escape(old)}</td><td>{escape(new)}</td></tr>"
        )
    head = f'<th scope="col">{escape(entry.name)}</th><th scope="col">before</th>'
    return f'<table><tr>{head}<th scope="col">after</th></tr>{"".join(rows)}</table>'


def _excerpt(lines: Sequence[tuple[int, str]], here: int) -> str:
    told = []
    for number, text in lines:
        line = f"{number:>5} {escape(text)}"
        told.append(f'<span class="here">{line}</span>' if number == here else line)
    return "<pre>" + "\n".join(told) + "</pre>"
