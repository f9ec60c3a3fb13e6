"""What ``stage2fuzz report`` writes, and what it refuses."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "needs one thing to report"),
        (("1", "--campaign", "night"), "needs one thing to report"),
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
