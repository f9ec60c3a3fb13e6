"""A run as a piece of HTML: a table of lanes, for screen readers and for stepping by keyboard.

One row a step, one column a thread. A bar at the left of a lane is a held mmu_lock; a column names
the entries that are broken and not made yet. Colours are the page's own (``--accent`` and others).
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.events import Event
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.report.lanes import Moment, lanes
from stage2fuzz.source import Stack, spot

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
"""


def run_table(
    case: Case,
    events: list[Event],
    violations: Sequence[Violation],
    stacks: Sequence[Stack] = (),
    full: bool = False,
) -> str:
    """The table; ``stacks`` say where in the user's tree each event comes from."""
    run = lanes(case, events, violations, full)
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for _, name in run.names)
    source = '<th scope="col">source</th>' if stacks else ""
    lines = [
        '<table class="run">',
        f'<thead><tr><th scope="col">step</th>{heads}',
        f'<th scope="col">broken</th>{source}</tr></thead>',
        "<tbody>",
    ]
    before: int | None = None
    for moment in run.moments:
        lines.append(_row(moment, [thread for thread, _ in run.names], before, stacks, violations))
        before = moment.step.thread
    return "\n".join([*lines, "</tbody>", "</table>", ""])


def _row(
    moment: Moment,
    threads: Sequence[int],
    before: int | None,
    stacks: Sequence[Stack],
    violations: Sequence[Violation],
) -> str:
    step = moment.step
    classes = [
        *(["switch"] if before not in (None, step.thread) else []),
        *(["proof"] if step.marks else []),
    ]
    marks = " ".join(violations[number].oracle for number in step.marks)
    mark = f' <span class="mark">{escape(marks)}</span>' if marks else ""
    cells = [f'<td class="number">{step.index}{mark}</td>']
    for thread in threads:
        held = " held" if thread in moment.holders else ""
        said = escape(step.text) if thread == step.thread else ""
        inside = f'<span class="says">{said}</span>' if said else ""
        cells.append(f'<td class="lane{held}">{inside}</td>')
    cells.append(f'<td class="window">{escape(", ".join(moment.broken))}</td>')
    if stacks:
        cells.append(f"<td>{escape(spot(stacks[step.index]))}</td>")
    css = f' class="{" ".join(classes)}"' if classes else ""
    return f'<tr id="step-{step.index}" tabindex="-1"{css}>{"".join(cells)}</tr>'
