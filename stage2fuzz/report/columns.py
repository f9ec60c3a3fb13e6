"""A run as text: numbered steps in columns, one a thread, and a verdict for each violation.

The number of a step is its place in the event log. ``>`` marks the steps that prove a verdict
(``a>``, ``b>`` ... where there are several), and a blank line is a switch of threads.
"""

from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case
from stage2fuzz.events import SETUP, Event
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.report.story import Step, fold, label, story
from stage2fuzz.source import Stack, route

LEAST_WIDTH: Final = 40
_LEAST_COLUMN: Final = 26
_GAP: Final = "  "


def text(
    case: Case,
    events: list[Event],
    violations: Sequence[Violation],
    width: int = 100,
    full: bool = False,
    stacks: Sequence[Stack] = (),
) -> str:
    """The whole report, no line wider than ``width`` characters (at least 40) if words allow."""
    width = max(width, LEAST_WIDTH)
    parts = [
        scenario_text(case),
        interleaving(case, events, violations, width, full, stacks),
        verdict_text(violations, width),
    ]
    return "\n".join(part for part in parts if part)


def scenario_text(case: Case) -> str:
    """What the threads were to do: the case's own lines, without its schedule."""
    left_out = ("stage2fuzz", "schedule", "choices", "end")
    lines = [line for line in format_case(case).splitlines() if not line.startswith(left_out)]
    return "\n".join(lines) + "\n"


def interleaving(
    case: Case,
    events: list[Event],
    violations: Sequence[Violation],
    width: int,
    full: bool = False,
    stacks: Sequence[Stack] = (),
) -> str:
    """The steps in columns; in a single one with the threads named where they are too many."""
    steps = story(events, violations, full, stacks)
    heads = _heads(steps, len(events), len(violations) > 1)
    threads = sorted({step.thread for step in steps} - {SETUP})
    gutter = len(heads[0]) if heads else 0
    columns = _columns(steps, threads, width - gutter)
    if not columns:
        return _one_column(case, steps, heads, width)
    names = [label(case, thread).ljust(columns[thread]) for thread in threads]
    rules = [("-" * len(name.rstrip())).ljust(len(name)) for name in names]
    lines = [" " * gutter + _GAP + _GAP.join(row) for row in (names, rules)]
    before = SETUP
    for step, head in zip(steps, heads, strict=True):
        if SETUP not in (before, step.thread) and step.thread != before:
            lines.append("")
        before = step.thread
        indent = sum(columns[thread] + len(_GAP) for thread in threads if thread < step.thread)
        begin = head + _GAP + " " * indent
        lines += _lines(begin, step, columns.get(step.thread, width - len(begin)))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def verdict_text(violations: Sequence[Violation], width: int) -> str:
    """A paragraph for each violation: its mark, oracle and category, then the sentence."""
    lines = []
    for number, violation in enumerate(violations):
        mark = _marks((number,), len(violations) > 1)
        head = f"{mark} {violation.oracle} {violation.rule} ({violation.category}): "
        indent = " " * (len(mark) + 1)
        lines += wrap(head + violation.verdict, width, subsequent_indent=indent)
        if violation.source:
            lines += wrap(f"{indent}at {route(violation.source)}", width, subsequent_indent=indent)
    return "\n".join(lines) + "\n" if lines else "no violation\n"


def _columns(steps: list[Step], threads: list[int], room: int) -> dict[int, int]:
    """The width of each thread's column, the widest made narrower; empty where there is no room."""
    columns = {
        thread: max(_LEAST_COLUMN, *(len(step.text) for step in steps if step.thread == thread))
        for thread in threads
    }
    while sum(columns.values()) + len(_GAP) * len(columns) > room:
        widest = max(threads, key=lambda thread: columns[thread])
        if columns[widest] == _LEAST_COLUMN:
            return {}
        columns[widest] -= 1
    return columns


def _one_column(case: Case, steps: list[Step], heads: list[str], width: int) -> str:
    lines = []
    for step, head in zip(steps, heads, strict=True):
        name = "setup" if step.thread == SETUP else label(case, step.thread)
        begin = f"{head}{_GAP}{name}: "
        lines += _lines(begin, step, width - len(begin))
    return "\n".join(lines) + "\n"


def _heads(steps: list[Step], events: int, several: bool) -> list[str]:
    """What stands before each step: the marks of what it proves, then its number."""
    marks = [_marks(step.marks, several) for step in steps]
    room, digits = max(map(len, marks), default=0), len(str(events))
    return [
        mark.ljust(room) + str(step.index).rjust(digits + 1)
        for mark, step in zip(marks, steps, strict=True)
    ]


def _marks(numbers: tuple[int, ...], several: bool) -> str:
    """What ties a step to the verdicts it proves: ``>``, or ``ab>`` where there are several."""
    letters = "".join(chr(ord("a") + number % 26) for number in numbers) if several else ""
    return f"{letters}>" if numbers else ""


def _lines(begin: str, step: Step, width: int) -> list[str]:
    """A step beside ``begin``, folded to ``width``, further lines set in: its text, then where in
    the user's tree it was made."""
    lines = fold(step.text, width)
    if step.source:
        lines += [f"  {line}" for line in fold(step.source, width - 2)]
    return [(begin if i == 0 else " " * len(begin)) + line for i, line in enumerate(lines)]
