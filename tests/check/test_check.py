"""A check says what a patch adds, and only that."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from stage2fuzz.case.text import read_case
from stage2fuzz.check import check, proofs, survey
from stage2fuzz.check.forms import Exposition, to_junit, to_markdown, to_record, to_sarif
from stage2fuzz.check.result import CheckResult, Effect, VersionRow
from stage2fuzz.check.survey import Sought, Survey
from stage2fuzz.check.version import Version, of_engines
from stage2fuzz.prove.ground import GROUND
from stage2fuzz.prove.request import Knowledge
from stage2fuzz.run import run
from stage2fuzz.session.case_asker import CaseAsker, Judgement
from stage2fuzz.studies.comparison import Change, Comparison, Difference
from tests.check.conftest import git
from tests.cli.terminal import RACE, command

NOWHERE = Sought(None, 4_000)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault is looked for and made smaller for a moment: what is tested shows at once."""
    monkeypatch.setattr(survey, "SEARCH_SECONDS", 0.5)
    monkeypatch.setattr(check, "MINIMISE_SECONDS", 2.0)
    monkeypatch.setattr(check, "LEAST_COMPARE", 1.0)


@pytest.mark.usefixtures("hasty")
def test_a_fault_planted_in_a_model_is_new(tmp_path: Path) -> None:
    arguments = ("--seconds", "1", "--jobs", "1", "--output", tmp_path, "--json")
    said = command("check", "model:v5.12", "model:v5.12!missing-tlbi", *arguments)
    assert said.code == 1
    told = json.loads(said.out)
    assert told["new"] and told["exit_code"] == 1
    assert told["rows"][0]["schedules"] == told["rows"][1]["schedules"]
    for path in tmp_path.glob("new-*.case"):
        assert run(read_case(path)).violations


@pytest.mark.slow
def test_what_the_series_mended_went_away_and_came_back_the_other_way(tmp_path: Path) -> None:
    arguments = ("--seconds", "2", "--jobs", "1", "--json")
    mended = json.loads(command("check", "model:v5.10", "model:series-v4", *arguments).out)
    assert {"C6", "G3"} <= {each["oracle"] for each in mended["gone"]}
    assert not {"C6", "G3"} & {each["oracle"] for each in mended["new"]}
    said = command("check", "model:series-v4", "model:v5.10", "--output", tmp_path, *arguments)
    assert said.code == 1
    worse = json.loads(said.out)
    assert {"C6", "G3"} <= {each["oracle"] for each in worse["new"]}
    for path in tmp_path.glob("new-*.case"):
        assert run(read_case(path)).violations


def test_a_model_held_against_itself_is_exit_0() -> None:
    said = command("check", "model:v5.12", "model:v5.12", "--seconds", "1")
    assert said.code == 0
    assert said.out.startswith("the compiled code is the same")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "nowhere: there is no such folder"),
        ((".", "HEAD"), "no arch/arm64/kvm/hyp/pgtable.c"),
        (("model:v5.10",), "needs a second engine"),
        (("model:v5.10", "model:v9"), "unknown revision 'v9'"),
        (("model:v5.10", "model:v5.12", "--seconds", "0"), "--seconds: 0 is out of range"),
        (("nowhere", "--mbox", "nothing.mbx"), "nowhere"),
    ],
)
def test_what_can_not_be_checked_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in command("check", *arguments).refused()


@pytest.mark.usefixtures("hasty")
def test_a_planted_fault_is_new_and_names_its_patch(
    planted: Callable[..., Path], tmp_path: Path
) -> None:
    repository = planted("-", "no-dirty-mark")
    before = git(repository, "status", "--porcelain")
    options = ("--seconds", "2", "--output", tmp_path / "out")
    said = command("check", repository, "HEAD~2..HEAD", *options)
    assert said.code == 1, said
    # D1 too, but stock trees lose dirty pages in a way of their own, which a search may meet.
    told = json.loads((tmp_path / "out/check.json").read_text())
    assert {"D3"} <= {each["oracle"] for each in told["new"]}
    assert {each["by"] for each in told["new"]} == {"2/2"}
    assert [row["same_as"] for row in told["rows"]] == ["", "base", ""]
    assert git(repository, "status", "--porcelain") == before
    cases = sorted((tmp_path / "out").glob("new-*.case"))
    assert len(cases) == len({(each["oracle"], each["by"]) for each in told["new"]})
    assert command("replay", cases[0]).code == 1
    tests = ElementTree.parse(tmp_path / "out/check.xml").getroot().iter("testcase")
    failed = {str(each.get("name"))[:2] for each in tests if each.find("failure") is not None}
    assert {"D3"} <= failed
    sarif = json.loads((tmp_path / "out/check.sarif").read_text())
    new = [each for each in sarif["runs"][0]["results"] if each["baselineState"] == "new"]
    assert {"D3"} <= {each["ruleId"] for each in new}
    assert " D3 |" in (tmp_path / "out/check.md").read_text()


def test_words_alone_are_answered_at_once(planted: Callable[..., Path]) -> None:
    said = command("check", planted("-"), "--seconds", "100")
    assert (said.code, said.out.split(":")[0]) == (0, "the compiled code is the same")


def test_a_head_that_does_not_build_is_inconclusive(planted: Callable[..., Path]) -> None:
    said = command("check", planted("broken"), "--seconds", "1")
    assert said.code == 3
    assert "does not build" in said.err


@pytest.mark.usefixtures("hasty")
def test_two_trees_and_a_mailbox_say_the_same(planted: Callable[..., Path], tmp_path: Path) -> None:
    repository = planted("no-dirty-mark")
    (tmp_path / "one.mbx").write_text(git(repository, "format-patch", "--stdout", "-1"))
    options = ("--seconds", "2", "--json")
    kept = ("--database", tmp_path / "race.db")
    said = command("check", repository, "HEAD~1", "--mbox", tmp_path / "one.mbx", *options, *kept)
    assert {"D3"} <= {each["oracle"] for each in json.loads(said.out)["new"]}
    mail = " ".join(command("report", "1", *kept).out.split())
    base = git(repository, "rev-parse", "--short=12", "HEAD~1").strip()
    assert f'Introduced by: "no-dirty-mark" on {base}' in mail
    git(repository, "worktree", "add", "--quiet", str(tmp_path / "before"), "HEAD~1")
    said = command("check", tmp_path / "before", repository, *options)
    assert {"D3"} <= {each["oracle"] for each in json.loads(said.out)["new"]}


def test_a_proof_says_what_came_and_what_went_in_every_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proofs, "GROUND", {name: GROUND[name] for name in ("r, age", "rw, logged")})
    versions = of_engines("model:v5.12", "model:v5.12!missing-tlbi")
    rows = proofs.prove_ground(versions[0], versions[1], None, 1, lambda _, __: None)
    assert [(each.differs, each.base.knowledge) for each in rows] == [
        (False, Knowledge.PROVED),
        (True, Knowledge.PROVED),
    ]
    # What a course too short to meet anything says nothing of.
    base, head = (VersionRow(version, Survey([1])) for version in versions)
    for row, side in ((base, rows[1].base), (head, rows[1].head)):
        assert row.survey is not None
        row.survey.exhibits.update(rows[1].exhibits(side))
    assert base.survey is not None and not base.survey.exhibits
    assert head.survey is not None and head.survey.exhibits
    new = [Effect(each, versions[1], 0) for each in head.survey.exhibits.values()]
    result = CheckResult([base, head], new=new, proofs=rows)
    shown = [Exposition(new[0], 0, None)]
    line = "rw, logged: proved on the base, refuted (G1 G2 G6"
    absent = "every interleaving of it was searched on the base, and none shows it"
    markdown = to_markdown(result, shown)
    assert line in markdown and absent in markdown
    assert "1 proved, 1 refuted; 1 otherwise" in markdown
    (record,) = (each for each in proofs.to_record(rows) if each["new"])
    assert record in json.loads(json.dumps(to_record(result, shown)))["proofs"]
    assert (record["base"], record["head"]) == ("proved", "refuted")
    suite = ElementTree.fromstring(to_junit(result, shown))
    failed = [each for each in suite.iter("testcase") if each.find("failure") is not None]
    assert {"rw, logged"} < {each.get("name") for each in failed}
    assert {each["baselineState"] for each in sarif_of(result, shown)} == {"new"}


def sarif_of(result: CheckResult, shown: list[Exposition]) -> list[dict[str, str]]:
    """The results of the SARIF form."""
    results: list[dict[str, str]] = json.loads(to_sarif(result, shown))["runs"][0]["results"]
    return results


def test_what_the_comparison_had_no_time_to_try_is_decided_or_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault that it only suspects is looked for; another outcome is told, and fails nothing."""
    asked: list[Version] = []
    case = read_case(RACE)
    fault = run(case).violations[0]
    suspected = Difference(
        Change.NEW_VIOLATION, "C6", fault.signature, "perhaps", 1, 80, case, case
    )
    outcome = replace(suspected, change=Change.OUTCOME, topic="results", verdict="After, -11.")
    two = of_engines("model:v5.12", "model:v5.10")
    told = Comparison(two[0].engine, two[1].engine, 100, 2, 1.0, (), (), (suspected, outcome))
    monkeypatch.setattr(check, "compare_apart", lambda *_, **__: told)

    def seek(version: Version, *_given: object) -> Sought:
        asked.append(version)
        return NOWHERE

    monkeypatch.setattr(check, "seek", seek)
    judgement = Judgement(case, (fault,), "", "finished")
    monkeypatch.setattr(CaseAsker, "judge", lambda *_: judgement)
    monkeypatch.setattr(check.Check, "_smaller", lambda _, face: face[0])
    monkeypatch.setattr(survey, "survey", lambda *_: Survey([1], runs=5, judged=5))
    result = check.Check(two, check.CheckRequest(1.0, 1), lambda *_: None).run()
    assert [each.signature for each in result.new] == [fault.signature]
    assert (asked, result.new[0].tried) == ([two[0]], NOWHERE.schedules)
    assert not result.shortfalls
    assert result.untried() == (outcome,)
    said = to_markdown(result, [])
    assert "## May behave otherwise" in said
    assert "compare --engine model:v5.12 --engine model:v5.10 --seconds 120 untried-N" in said
    assert to_record(result, [])["untried"]


@pytest.mark.slow
def test_a_planted_fault_is_refuted_where_the_base_is_proved(
    planted: Callable[..., Path], tmp_path: Path
) -> None:
    repository = planted("wrprotect-keeps-write")
    options = ("--seconds", "2", "--prove", "--json")
    said = command("check", repository, "HEAD~1..HEAD", *options)
    assert said.code == 1, said
    verdicts = {each["scenario"]: each for each in json.loads(said.out)["proofs"]}
    assert verdicts["ww, log on"]["base"] == "proved"
    assert verdicts["ww, log on"]["head"] == "refuted"
    assert verdicts["r, age"]["head"] == "proved"
