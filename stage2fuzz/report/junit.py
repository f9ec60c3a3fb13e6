"""JUnit XML: the form in which every CI system shows tests."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape, quoteattr

_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't hold, not even escaped."""


@dataclass(frozen=True, slots=True)
class SuiteCase:
    """One test: passed, failed, or not run with a reason."""

    group: str
    name: str
    failure: str = ""
    """The first line says what is wrong, the rest shows it; empty where it passed."""
    skipped: str = ""


def junit(suite: str, tests: Sequence[SuiteCase], seconds: float) -> str:
    """The whole document."""
    failures = sum(1 for each in tests if each.failure)
    skipped = sum(1 for each in tests if each.skipped)
    figures = f'tests="{len(tests)}" failures="{failures}" skipped="{skipped}" errors="0"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<testsuites>",
        f'<testsuite name={_attribute(suite)} {figures} time="{seconds:.1f}">',
        *map(_case, tests),
        "</testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _case(test: SuiteCase) -> str:
    begin = f"<testcase classname={_attribute(test.group)} name={_attribute(test.name)}"
    if test.failure:
        first, _, rest = test.failure.partition("\n")
        inside = f"<failure message={_attribute(first)}>{_text(rest)}</failure>"
    elif test.skipped:
        inside = f"<skipped message={_attribute(test.skipped)}/>"
    else:
        return begin + "/>"
    return f"{begin}>{inside}</testcase>"


def _attribute(text: str) -> str:
    return quoteattr(_NO_XML.sub("?", text))


def _text(text: str) -> str:
    return escape(_NO_XML.sub("?", text))
