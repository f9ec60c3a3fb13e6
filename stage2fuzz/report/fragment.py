"""A run as a piece of HTML: a table of lanes, for screen readers and for stepping by keyboard.

One row a step, one column a thread. A bar at the left of a lane is a held mmu_lock; a column names
the entries that are broken and not made yet, the last one folds away what holds after the step: the
entry that it writes, what TLBs may still hold, the source. Colours are the page's own (``--accent``
and others).
"""

from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.events import Event
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.report.lanes import Moment, lanes
from stage2fuzz.report.state_block import state_block
from stage2fuzz.source import SourceLine, Stack, spot

Excerpt = Callable[[SourceLine], Sequence[tuple[int, str]]]
"""Lines of the user's tree around a place, numbered; none where it can't be read."""

STYLE: Final = """\
.run { border-collapse: collapse; font: 13px/1.45 ui-monospace, monospace; min-width: 40rem }
.run th { text-align: left; position: sticky; top: 0; background: var(--paper) }
.run th { padding: .3rem .6rem }
.run td { padding: .1rem .6rem; vertical-align: top }
.run .number { color: var(--faint); text-align: right; font-variant-numeric: tabular-nums }
.run .lane { border-left: 3px solid transparent; min-width: 16rem }
.run .held { border-left-color: var(--lock) }
.run .window { color: var(--window); white-space: nowrap }
.run tr.switch > td { border-top: 1px dashed var(--line) }
.run tr.proof .says { color: var(--accent); font-weight: 600 }
.run tr:focus, .run tr[aria-current] { outline: 2px solid var(--focus); outline-offset: -2px }
.run .mark { color: var(--accent); font-weight: 700 }
.state summary { cursor: pointer; white-space: nowrap; color: var(--faint) }
.state table { border-collapse: collapse } .state td, .state th { padding: 0 .6rem 0 0 }
.state tr.moved td { color: var(--accent) } .state p { margin: .3rem 0 }
.state pre { padding: .3rem; margin: .3rem 0 } .state .here { color: var(--accent) }
"""


def run_table(
    case: Case,
    events: list[Event],
    violations: Sequence[Violation],
    stacks: Sequence[Stack] = (),
    full: bool = False,
    excerpt: Excerpt = lambda _place: (),
    anchor: str = "step",
) -> str:
    """The table; ``stacks`` say where in the user's tree each event comes from.

    A row's id is ``anchor`` and the number of its event.
    """
    run = lanes(case, events, violations, full)
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for _, name in run.names)
    source = '<th scope="col">source</th>' if stacks else ""
    lines = [
        '<table class="run">',
        f'<thead><tr><th scope="col">step</th>{heads}',
        f'<th scope="col">broken</th>{source}<th scope="col" class="state">state</th></tr></thead>',
        "<tbody>",
    ]
    before: int | None = None
    for moment in run.moments:
        stack = stacks[moment.step.index] if stacks else None
        state = state_block(moment, run.names, excerpt(stack[0]) if stack else (), stack or ())
        threads = [thread for thread, _ in run.names]
        cells = _cells(moment, threads, stack, state, violations)
        lines.append(_row(moment, before, f"{anchor}-{moment.step.index}", cells))
        before = moment.step.thread
    return "\n".join([*lines, "</tbody>", "</table>", ""])


def _row(moment: Moment, before: int | None, name: str, cells: str) -> str:
    step = moment.step
    classes = [
        *(["switch"] if before not in (None, step.thread) else []),
        *(["proof"] if step.marks else []),
    ]
    css = f' class="{" ".join(classes)}"' if classes else ""
    return f'<tr id="{name}" tabindex="-1"{css}>{cells}</tr>'


def _cells(
    moment: Moment,
    threads: Sequence[int],
    stack: Stack | None,
    state: str,
    violations: Sequence[Violation],
) -> str:
    step = moment.step
    marks = " ".join(violations[number].oracle for number in step.marks)
    mark = f' <span class="mark">{escape(marks)}</span>' if marks else ""
    cells = [f'<td class="number">{step.index}{mark}</td>']
    for thread in threads:
        held = " held" if thread in moment.holders else ""
        said = escape(step.text) if thread == step.thread else ""
        inside = f'<span class="says">{said}</span>' if said else ""
        cells.append(f'<td class="lane{held}">{inside}</td>')
    cells.append(f'<td class="window">{escape(", ".join(moment.broken))}</td>')
    if stack is not None:
        cells.append(f"<td>{escape(spot(stack))}</td>")
    cells.append(f'<td class="state">{state}</td>')
    return "".join(cells)
