"""What ``stage2fuzz report`` writes, and what it refuses."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from stage2fuzz.case.text import parse
from stage2fuzz.known import known_causes
from tests.cli.terminal import command


@pytest.mark.parametrize("subject", ["1", "race.case"])
def test_every_form_of_one_run_can_be_read(folder: Path, subject: str) -> None:
    def told(form: str) -> str:
        said = command("report", subject, "--format", form)
        assert said.code == 0, said
        return said.out

    assert told("mail").startswith("Subject: ")
    assert told("md").startswith("# ")
    assert told("html").startswith("<!doctype html>")
    assert ElementTree.fromstring(told("svg")).tag.endswith("svg")
    assert json.loads(told("json"))[0]["violations"]
    assert json.loads(told("sarif"))["runs"][0]["results"]
    assert ElementTree.fromstring(told("junit")).find(".//failure") is not None


def test_a_report_goes_to_a_file(folder: Path) -> None:
    assert command("report", "1", "--format", "html", "-o", "out/one.html").code == 0
    assert (folder / "out/one.html").read_text().endswith("</html>\n")


def test_what_is_known_already_is_told_in_every_form_without_a_database() -> None:
    def told(form: str) -> str:
        said = command("report", "--known", "--format", form, "--database", "sqlite:///nowhere.db")
        assert said.code == 0, said
        return said.out

    names = [each.name for each in known_causes()]
    assert all(name in told(form) for form in ("mail", "md", "html", "svg") for name in names)
    prose = [line for line in told("mail").splitlines() if not line.startswith("schedule ")]
    assert max(map(len, prose)) <= 75
    assert "10 of 10" in told("md")
    assert ElementTree.fromstring(told("svg")).tag.endswith("svg")
    assert [each["name"] for each in json.loads(told("json"))] == names
    (sarif_run,) = json.loads(told("sarif"))["runs"]
    assert {each["baselineState"] for each in sarif_run["results"]} == {"unchanged"}
    suite = ElementTree.fromstring(told("junit"))
    assert len(suite.findall(".//skipped")) == len(names)
    assert suite.find(".//failure") is None


def test_every_case_of_the_known_list_can_be_read() -> None:
    told = json.loads(command("report", "--known", "--format", "json").out)
    cases = [each["case"] for entry in told for each in entry["examples"] if each["case"]]
    assert {parse(each, "known").engine for each in cases} == {"kernel:TREE"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "needs one thing to report"),
        (("1", "--campaign", "night"), "needs one thing to report"),
        (("1", "--known"), "needs one thing to report"),
        (("7",), "finding 7"),
        (("nowhere.case",), "nowhere.case"),
        (("--campaign", "nobody"), "there is no campaign 'nobody'"),
        (("1", "--format", "pdf"), "'pdf'"),
    ],
)
def test_what_can_not_be_reported_is_one_line(
    folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    assert words in command("report", *arguments).refused()
