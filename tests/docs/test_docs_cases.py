"""The cases and reports that the documents show are real."""

import re
from pathlib import Path

import pytest

from stage2fuzz.case.text import HEADER, parse
from stage2fuzz.report import text
from stage2fuzz.run import run

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: Path, begin: str) -> list[str]:
    return [block for block in BLOCK.findall(document.read_text()) if block.startswith(begin)]


@pytest.mark.parametrize("name", ["case-format.md", "triage.md"])
def test_a_case_in_a_document_is_a_case(name: str) -> None:
    cases = blocks(DOCS / name, HEADER)
    assert cases
    for case in cases:
        parse(case, name)


def test_the_report_in_the_triage_document_is_what_its_case_gives() -> None:
    document = DOCS / "triage.md"
    [case] = blocks(document, HEADER)
    [shown] = blocks(document, "        vCPU 0 ")
    outcome = run(parse(case, "race.case"))
    assert shown in text(outcome.case, outcome.events, outcome.violations, 100)
