"""The list of confirmed findings is what a program can read, and its cases are cases."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

from stage2fuzz.case.text import parse
from stage2fuzz.confirm.rules import RULES, why_unseen

KNOWN = json.loads(files("stage2fuzz.confirm").joinpath("known.json").read_text())
FINDINGS = (Path(__file__).resolve().parents[2] / "docs" / "findings.md").read_text()


@pytest.mark.parametrize("known", KNOWN["findings"], ids=lambda known: known["name"])
def test_each_known_finding_has_rules_a_section_and_counts_that_add_up(
    known: dict[str, object],
) -> None:
    assert f"{known['section']}\n" in FINDINGS
    answers = known["answers"]
    assert isinstance(answers, list)
    for answer in answers:
        unseen = answer["answer"] == "cannot be shown"
        if "reproducer" not in answer:  # a program of its own needs no rule of the machine's
            assert all((each in RULES) != unseen for each in known["oracles"])  # type: ignore[attr-defined]
        if unseen:
            assert answer["why"] in {why_unseen(each) for each in known["oracles"]}  # type: ignore[attr-defined]
            continue
        assert answer["answer"] in ("confirmed", "refuted", "not reached")
        assert (answer["answer"] == "confirmed") == (answer["confirmed"] > 0)
        assert answer["confirmed"] + answer.get("not_reached", 0) <= answer["runs"]


@pytest.mark.parametrize(
    "known", [each for each in KNOWN["findings"] if "case" in each], ids=lambda known: known["name"]
)
def test_each_known_case_can_be_read(known: dict[str, str]) -> None:
    case = parse(f"stage2fuzz case 1\n{known['case']}\nend\n", known["name"])
    assert case.engine == "kernel:TREE"
    assert case.schedule.runs
