"""The shipped list of known faults, as others read it.

Whoever judges a finding wants to know first what is not news. The list says it in the forms of
``report``: nothing is run for it, so it needs no tree and no database.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from html import escape
from textwrap import wrap
from typing import Final

from stage2fuzz import __version__
from stage2fuzz.known import KnownCause, KnownExample
from stage2fuzz.report.junit import SuiteCase, junit
from stage2fuzz.report.message import MAIL_WIDTH
from stage2fuzz.report.page import plain_page
from stage2fuzz.report.sarif import Remark, sarif
from stage2fuzz.session.display import ReportForm

TITLE: Final = "Known faults of KVM/arm64's stage-2 page tables"
ABOUT: Final = (
    "What stage2fuzz knows of released kernels. A cell says in how many of its runs a real kernel, "
    "booted and forced to the interleaving, came to the harm; '-' was not asked. Read "
    "docs/findings.md for each one's reasoning."
)
NEVER_ASKED: Final = "-"


def _kernels(causes: Sequence[KnownCause]) -> list[str]:
    """Every real kernel that was asked, in the list's order of versions."""
    told = {
        answer.kernel
        for cause in causes
        for each in cause.examples
        for answer in each.answers
        if answer.runs
    }
    return sorted(told, key=lambda name: [int(part) for part in name.partition("-")[0].split(".")])


def _cell(cause: KnownCause, kernel: str) -> str:
    """What a kernel said of a cause: the example that showed most often."""
    asked = [
        answer
        for each in cause.examples
        for answer in each.answers
        if answer.kernel == kernel and answer.runs
    ]
    if not asked:
        return NEVER_ASKED
    best = max(asked, key=lambda each: (each.confirmed / each.runs, each.answer == "refuted"))
    return f"{best.confirmed} of {best.runs}" if best.confirmed else best.answer


def _where(cause: KnownCause) -> str:
    """The engines of which it is known, in words."""
    told = "all trees"
    if cause.needs or cause.lacks:
        having = [f"with {each}" for each in sorted(cause.needs)]
        without = [f"without {each}" for each in sorted(cause.lacks)]
        told = "trees " + " and ".join([*having, *without])
    return f"{told}; model {', '.join(cause.models)}"


def _case(example: KnownExample) -> str:
    """A case as a file holds it; empty where the list has none."""
    return f"stage2fuzz case 1\n{example.case}\nend\n" if example.case else ""


def _oracles(cause: KnownCause) -> list[str]:
    """The oracles that see it, as far as examples say."""
    return sorted({oracle for each in cause.examples for oracle in each.oracles})


def _facts(cause: KnownCause) -> Iterator[tuple[str, str]]:
    """What is said of one cause, name by name."""
    yield "causes", "; ".join(cause.causes)
    yield "known of", _where(cause)
    yield "told in", f"docs/findings.md, {cause.section}"
    if oracles := _oracles(cause):
        yield "oracles", " ".join(oracles)
    for each in cause.examples:
        if each.consequence:
            yield each.name, each.consequence


def _mail(causes: Sequence[KnownCause]) -> str:
    kernels = _kernels(causes)
    parts = [f"Subject: {TITLE}", "", *wrap(ABOUT, MAIL_WIDTH)]
    for cause in causes:
        parts += ["", *wrap(f"{cause.name}: {cause.explanation}", MAIL_WIDTH)]
        for name, text in _facts(cause):
            told = f"  {name}: {text}"
            parts += wrap(told, MAIL_WIDTH, subsequent_indent="    ", break_on_hyphens=False)
        cells = [(kernel, _cell(cause, kernel)) for kernel in kernels]
        asked = [f"{kernel} {cell}" for kernel, cell in cells if cell != NEVER_ASKED]
        if asked:
            parts += wrap(f"  real kernels: {', '.join(asked)}", MAIL_WIDTH, subsequent_indent="  ")
        for text in filter(None, map(_case, cause.examples)):
            parts += ["", text.rstrip()]
    return "\n".join(parts) + "\n"


def _table(causes: Sequence[KnownCause]) -> list[list[str]]:
    kernels = _kernels(causes)
    head = ["known fault", *kernels]
    return [head, *([each.name, *(_cell(each, one) for one in kernels)] for each in causes)]


def _markdown(causes: Sequence[KnownCause]) -> str:
    head, *rows = _table(causes)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    table = "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines])
    parts = [f"# {TITLE}", ABOUT, table]
    for cause in causes:
        parts.append(f"## {cause.name}\n\n{cause.explanation}.")
        parts.append("\n".join(f"- {name}: {text}" for name, text in _facts(cause)))
        parts += [f"```text\n{text}```" for text in filter(None, map(_case, cause.examples))]
    return "\n\n".join(parts) + "\n"


def _html(causes: Sequence[KnownCause]) -> str:
    head, *rows = _table(causes)
    told = ["<div class='wide'><table><tr>", *(f"<th>{escape(each)}</th>" for each in head)]
    for first, *cells in rows:
        told.append(f"</tr><tr><th>{escape(first)}</th>")
        told += [f"<td>{escape(each)}</td>" for each in cells]
    told.append("</tr></table></div>")
    for cause in causes:
        told.append(f"<h2>{escape(cause.name)}</h2><p>{escape(cause.explanation)}.</p><dl>")
        told += [f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in _facts(cause)]
        told.append("</dl>")
        cases = filter(None, map(_case, cause.examples))
        told += [f"<pre>{escape(text)}</pre>" for text in cases]
    return plain_page(TITLE, f"<p>{escape(ABOUT)}</p>\n" + "\n".join(told))


_FIRST: Final = 240
_COLUMN: Final = 100
_ROW: Final = 24


def _svg(causes: Sequence[KnownCause]) -> str:
    table = _table(causes)
    width, height = _FIRST + _COLUMN * (len(table[0]) - 1), _ROW * (len(table) + 1)
    body = []
    for line, row in enumerate(table):
        for column, text in enumerate(row):
            x = 10 if column == 0 else _FIRST + _COLUMN * (column - 1)
            shown = ' class="shown"' if " of " in text else ""
            bold = ' class="head"' if line == 0 or column == 0 else shown
            body.append(f'<text{bold} x="{x}" y="{_ROW * (line + 1)}">{escape(text)}</text>')
    style = (
        "text { font: 13px system-ui, sans-serif; fill: #1f2430 } .head { font-weight: bold } "
        ".shown { fill: #b00020 } .paper { fill: #ffffff }"
    )
    box = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box}>\n<title>{escape(TITLE)}</title>'
    paper = f'<rect class="paper" width="{width}" height="{height}"/>'
    return "\n".join([head, f"<style>{style}</style>", paper, *body, "</svg>", ""])


def _json(causes: Sequence[KnownCause]) -> str:
    records = [
        {
            "name": cause.name,
            "explanation": cause.explanation,
            "causes": list(cause.causes),
            "needs": sorted(cause.needs),
            "lacks": sorted(cause.lacks),
            "models": list(cause.models),
            "section": cause.section,
            "examples": [
                {
                    "name": each.name,
                    "oracles": list(each.oracles),
                    "consequence": each.consequence,
                    "case": _case(each),
                    "answers": [
                        {
                            "kernel": answer.kernel,
                            "answer": answer.answer,
                            "confirmed": answer.confirmed,
                            "runs": answer.runs,
                        }
                        for answer in each.answers
                    ],
                }
                for each in cause.examples
            ],
        }
        for cause in causes
    ]
    return json.dumps(records, indent=1) + "\n"


def _sarif(causes: Sequence[KnownCause]) -> str:
    """One result a cause, as a baseline has it: nothing of this list is new."""
    remarks = [
        Remark(
            "known/" + cause.name.replace(" ", "-"),
            cause.name,
            "known",
            f"{cause.explanation}; known of {_where(cause)}",
            signature,
            "unchanged",
        )
        for cause in causes
        for signature in cause.causes
    ]
    return sarif(remarks, __version__)


def _junit(causes: Sequence[KnownCause]) -> str:
    """Tests that are skipped with their reason, since a known fault fails nothing."""
    tests = [
        SuiteCase("known", cause.name, skipped=f"{cause.explanation}; known of {_where(cause)}")
        for cause in causes
    ]
    return junit("stage2fuzz known faults", tests, 0.0)


KNOWN_FORMS: Final[dict[ReportForm, Callable[[Sequence[KnownCause]], str]]] = {
    ReportForm.MAIL: _mail,
    ReportForm.MD: _markdown,
    ReportForm.HTML: _html,
    ReportForm.SVG: _svg,
    ReportForm.JSON: _json,
    ReportForm.SARIF: _sarif,
    ReportForm.JUNIT: _junit,
}
