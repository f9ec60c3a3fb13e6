"""A run in the forms that others read: each is what its readers take."""

import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from stage2fuzz.case.text import format_case, read_case
from stage2fuzz.events import STORE
from stage2fuzz.report.junit import SuiteCase, junit
from stage2fuzz.report.lanes import lanes
from stage2fuzz.report.letter import letter
from stage2fuzz.report.page import page
from stage2fuzz.report.sarif import Remark, sarif
from stage2fuzz.run import Outcome, run

RACE = Path(__file__).parents[2] / "corpus/map_race/situation-1-late-loser.case"


@pytest.fixture(scope="module")
def race() -> Outcome:
    return run(read_case(RACE))


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep each tag."""
        self.tags.append((tag, dict(attrs)))


def test_a_mail_fits_75_columns_but_for_the_case(race: Outcome) -> None:
    text = letter({"Introduced by": "x" * 12}, race.case, race.events, race.violations)
    before = text.partition("stage2fuzz case")[0]
    assert max(map(len, before.splitlines())) <= 75
    assert text.startswith("Subject: [BUG] KVM: arm64: ")
    assert format_case(race.case).strip() in text


def test_a_page_refers_to_nothing_outside_and_escapes_what_it_is_given(race: Outcome) -> None:
    text = page("<script>x</script>", {"a": "<b>"}, race.case, race.events, race.violations)
    read = Page()
    read.feed(text)
    assert "script" not in {tag for tag, _ in read.tags}
    assert not [tag for tag, attributes in read.tags if {"src", "href"} & attributes.keys()]
    assert "url(" not in text
    assert [tag for tag, _ in read.tags].count("h1") == 1


def test_lanes_say_what_is_locked_and_what_is_broken(race: Outcome) -> None:
    run_lanes = lanes(race.case, race.events, race.violations)
    broken = [each for each in run_lanes.moments if each.broken]
    assert broken
    for moment in broken:
        assert moment.holders, "an entry is broken under the lock"
    stores = [each for each in run_lanes.moments if race.events[each.step.index][0] == STORE]
    entries = [each.entry for each in stores if each.entry is not None]
    assert len(entries) == len(stores)
    assert all(each.name.startswith("L") for each in entries)
    downgrade = entries[-2].fields(), entries[-1].fields()
    assert ("S2AP", "-", "read") in downgrade[0]
    assert ("S2AP", "read", "both") in downgrade[1]


def test_lanes_say_what_a_tlb_may_still_hold_until_it_is_invalidated(race: Outcome) -> None:
    moments = lanes(race.case, race.events, race.violations).moments
    kept = [each.step.text for each in moments if each.cached]
    broke = "L3 0x40000000 = invalid (was page rw- AF)"
    assert kept[0] == broke
    stale = next(each.cached for each in moments if each.step.text == broke)
    assert stale == tuple((vcpu, "L3 0x40000000: page 0x1000000000 rw- AF") for vcpu in (0, 1))
    assert not moments[-1].cached


def test_sarif_names_rule_level_file_and_line() -> None:
    remark = Remark("C6", "a rule", "correctness", "words", "s", "new", "arch/arm64/kvm/mmu.c", 7)
    (run_,) = json.loads(sarif([remark], "1"))["runs"]
    (result,) = run_["results"]
    assert (result["ruleId"], result["level"], result["baselineState"]) == ("C6", "error", "new")
    where = result["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == "arch/arm64/kvm/mmu.c"
    assert where["region"]["startLine"] == 7
    assert [rule["id"] for rule in run_["tool"]["driver"]["rules"]] == ["C6"]


def test_junit_is_xml_whatever_a_verdict_holds() -> None:
    tests = [
        SuiteCase("a", "passed"),
        SuiteCase("b", 'failed "so" & <so>', "first\x00 line\nmore \x1b[0m ]]> <b>"),
        SuiteCase("c", "not run", skipped="no compiler"),
    ]
    suite = ElementTree.fromstring(junit("s", tests, 1.0)).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "first? line"
