"""SARIF 2.1.0: what code review and CI pages read, with file and line of the user's tree."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from stage2fuzz.oracles.violation import Violation
from stage2fuzz.source import SourceLine

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS: Final = {"correctness": "error", "progress": "warning", "economy": "note"}
"""By category of the rule."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One result: a rule that the code breaks, and where."""

    rule: str
    """The oracle's number."""
    name: str
    """The rule's short name."""
    category: str
    message: str
    signature: str
    """Tells two results apart from run to run."""
    state: str = ""
    """``new``, ``unchanged`` or ``absent`` beside a baseline; empty without one."""
    file: str = ""
    """Path in the user's tree; empty where it is not known."""
    line: int = 0

    @classmethod
    def of(cls, violation: Violation, state: str = "", at: SourceLine | None = None) -> Self:
        """What is said of a violation; ``at`` is the line that it is about, if that is known."""
        return cls(
            violation.oracle,
            violation.rule,
            str(violation.category),
            violation.verdict,
            violation.signature,
            state,
            at.file if at is not None else "",
            at.line if at is not None else 0,
        )


def sarif(remarks: Sequence[Remark], version: str) -> str:
    """The whole document."""
    rules = {each.rule: each for each in remarks}
    driver = {
        "name": "stage2fuzz",
        "version": version,
        "rules": [
            {
                "id": rule,
                "shortDescription": {"text": each.name},
                "defaultConfiguration": {"level": LEVELS.get(each.category, "warning")},
                "properties": {"category": each.category},
            }
            for rule, each in sorted(rules.items())
        ],
    }
    run = {"tool": {"driver": driver}, "results": [_result(each) for each in remarks]}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _result(remark: Remark) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": remark.rule,
        "level": LEVELS.get(remark.category, "warning"),
        "message": {"text": remark.message},
        "partialFingerprints": {"signature/v1": remark.signature},
    }
    if remark.state:
        result["baselineState"] = remark.state
    if remark.file:
        where: dict[str, object] = {"artifactLocation": {"uri": remark.file}}
        if remark.line > 0:
            where["region"] = {"startLine": remark.line}
        result["locations"] = [{"physicalLocation": where}]
    return result
