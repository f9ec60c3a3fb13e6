"""A finding as one HTML file that refers to nothing outside: fit for an attachment."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case
from stage2fuzz.events import Event
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.report.fragment import STYLE, run_table
from stage2fuzz.source import Stack

COLOURS: Final = """\
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2330; --faint: #667085; --line: #d6dae3;
  --accent: #b00020; --lock: #1f6feb; --window: #9a5b00; --focus: #1f6feb; --soft: #f4f6fa }
@media (prefers-color-scheme: dark) { :root { --paper: #14181f; --ink: #e6e9ef; --faint: #98a2b3;
  --line: #313947; --accent: #ff8090; --lock: #6ea8ff; --window: #f0b45a; --focus: #6ea8ff;
  --soft: #1c222c } }
"""
_PAGE: Final = """\
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
pre { background: var(--soft); padding: 1rem; overflow-x: auto }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem }
dt { color: var(--faint) } dd { margin: 0; overflow-wrap: anywhere }
.wide { overflow-x: auto }
"""


def page(
    title: str,
    facts: Mapping[str, str],
    case: Case,
    events: list[Event],
    violations: Sequence[Violation],
    stacks: Sequence[Stack] = (),
) -> str:
    """The whole file."""
    told = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items()
    )
    verdicts = "".join(
        f"<p><strong>{escape(each.oracle)} {escape(each.rule)}</strong> ({each.category}): "
        f"{escape(each.verdict)}</p>"
        for each in violations
    )
    body = f"""\
{verdicts}
<dl>{told}</dl>
<h2>Interleaving</h2>
<div class="wide" tabindex="0" role="region" aria-label="Interleaving">
{run_table(case, events, violations, stacks)}</div>
<h2>To reproduce</h2>
<p>Save this as <code>fault.case</code> and type <code>stage2fuzz replay fault.case</code>:</p>
<pre>{escape(format_case(case))}</pre>
"""
    return plain_page(title, body)


def plain_page(title: str, body: str) -> str:
    """The file around a ``body`` that is HTML already; ``title`` is text."""
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>
{COLOURS}{_PAGE}{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
{body.rstrip()}
</body>
</html>
"""
