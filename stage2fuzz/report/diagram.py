"""A run as a picture: a sequence diagram in one SVG file that needs nothing else.

One lane a thread, time downwards. Each step is a line of text in its lane, a thin arrow is a switch
of threads, and the window between the first and the last step that prove a verdict is shaded.
"""

from collections.abc import Sequence
from html import escape
from textwrap import wrap
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.events import SETUP, Event
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.report.story import Step, fold, label, story
from stage2fuzz.source import Stack

_COLUMNS: Final = 44
"""Characters of a line of text."""
_LANE: Final = 330
_LEFT: Final = 50
_LINE: Final = 15
_PADDING: Final = 5
_TOP: Final = 34
_STYLE: Final = """\
text { font: 11.5px ui-monospace, monospace; fill: #1f2430 }
.head { font-weight: bold; font-size: 13px }
.number { fill: #8a90a0; text-anchor: end }
.source { fill: #6c7a99; font-size: 10px }
.proof { fill: #b00020; font-weight: bold }
.verdict { fill: #b00020; font-size: 12.5px }
.lane { stroke: #d5d9e2 }
.switch { stroke: #6c7a99; stroke-dasharray: 3 3; fill: none }
.window { fill: #fdeaea }
.paper { fill: #ffffff }"""


def sequence_svg(
    case: Case,
    events: list[Event],
    violations: Sequence[Violation],
    full: bool = False,
    stacks: Sequence[Stack] = (),
) -> str:
    """The whole SVG file."""
    steps = [step for step in story(events, violations, full, stacks) if step.thread != SETUP]
    lanes = sorted({step.thread for step in steps})
    width = _LEFT + max(2, len(lanes)) * _LANE
    tops, bottom = _places(steps)
    body = _window(steps, tops, bottom, width)
    for place, thread in enumerate(lanes):
        x = _LEFT + place * _LANE
        body.append(f'<text class="head" x="{x + 10}" y="20">{escape(label(case, thread))}</text>')
        body.append(f'<path class="lane" d="M{x} {_TOP - 6}V{bottom}"/>')
    for before, step, y in zip([None, *steps], steps, tops, strict=False):
        x = _LEFT + lanes.index(step.thread) * _LANE
        if before is not None and before.thread != step.thread:
            start = _LEFT + lanes.index(before.thread) * _LANE
            body.append(f'<path class="switch" d="M{start} {y}H{x}"/>')
        body += _step(step, x, y)
    y = bottom + 20
    for violation in violations:
        words = f"{violation.oracle} ({violation.category}): {violation.verdict}"
        for line in wrap(words, (width - 20) // 8):
            body.append(f'<text class="verdict" x="10" y="{y}">{escape(line)}</text>')
            y += 18
    box = f'width="{width}" height="{y}" viewBox="0 0 {width} {y}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box}>\n<style>{_STYLE}</style>'
    paper = f'<rect class="paper" width="{width}" height="{y}"/>'
    return "\n".join([head, paper, *body, "</svg>", ""])


def _places(steps: list[Step]) -> tuple[list[int], int]:
    """The top of each step, and the bottom of the last."""
    tops, y = [], _TOP
    for step in steps:
        tops.append(y)
        y += (len(fold(step.text, _COLUMNS)) + bool(step.source)) * _LINE + _PADDING
    return tops, y


def _window(steps: list[Step], tops: list[int], bottom: int, width: int) -> list[str]:
    """The shaded band from the first to the last step that prove anything."""
    proofs = [number for number, step in enumerate(steps) if step.marks]
    if not proofs:
        return []
    top, end = tops[proofs[0]], [*tops, bottom][proofs[-1] + 1]
    return [f'<rect class="window" x="0" y="{top}" width="{width}" height="{end - top}"/>']


def _step(step: Step, x: int, y: int) -> list[str]:
    """The number and the text of one step."""
    lines = [f'<text class="number" x="{_LEFT - 8}" y="{y + 12}">{step.index}</text>']
    css = ' class="proof"' if step.marks else ""
    for line in fold(step.text, _COLUMNS):
        y += _LINE
        left = x + 10 + (len(line) - len(line.lstrip())) * 7
        lines.append(f'<text{css} x="{left}" y="{y - 3}">{escape(line.strip())}</text>')
    if step.source:
        y += _LINE
        lines.append(f'<text class="source" x="{x + 24}" y="{y - 3}">{escape(step.source)}</text>')
    return lines
