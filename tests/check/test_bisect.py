"""The commit that brought a fault, and the one that ended it, are named."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from stage2fuzz.arch import WRITE
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Access, Scenario, Slot
from stage2fuzz.case.text import format_case
from stage2fuzz.findings.store import Store
from stage2fuzz.report import event_log
from stage2fuzz.session.apart import run_apart
from tests.check.conftest import git
from tests.cli.terminal import command

LOGGED = Scenario(slots=(Slot(logging=True),), vcpus=((Access(WRITE, 0),),))


@pytest.fixture(scope="module")
def history(planted: Callable[..., Path]) -> Path:
    """Words, a commit that does not build, words, the fault, its end, words."""
    return planted("-", "broken", "fixed", "no-dirty-mark", "fixed")


@pytest.fixture
def case(history: Path, tmp_path: Path) -> Path:
    """A case that shows the fault."""
    path = tmp_path / "lost.case"
    path.write_text(format_case(Case(f"kernel:{history}@HEAD~1", LOGGED)))
    return path


def test_the_commit_that_brought_it_is_named_and_what_does_not_build_is_skipped(
    history: Path, case: Path
) -> None:
    said = command("bisect", case, history, "HEAD~5..HEAD~1", "--json")
    assert said.code == 0, said
    told = json.loads(said.out)
    assert told["question"] == "introduced by"
    assert told["commit"]["title"] == "no-dirty-mark"
    assert told["commit"]["commit"] == git(history, "rev-parse", "HEAD~1").strip()


def test_the_commit_that_ended_it_is_named_the_other_way(history: Path, case: Path) -> None:
    said = command("bisect", case, history, "HEAD~1..HEAD")
    assert said.code == 0, said
    assert "fixed by " in said.out
    assert '("fixed")' in said.out


def test_where_commits_do_not_build_all_that_may_be_it_are_told(
    planted: Callable[..., Path], case: Path
) -> None:
    repository = planted("broken", "fixed", "no-dirty-mark")
    git(repository, "reset", "--quiet", "--soft", "HEAD~2")
    git(repository, "commit", "--quiet", "-m", "mended and spoilt")
    said = command("bisect", case, repository, "HEAD~2..HEAD")
    assert said.code == 3, said
    assert "does not build" in said.out
    assert '("broken")' in said.out
    assert '("mended and spoilt")' in said.out


def test_a_range_whose_ends_agree_is_refused(history: Path, case: Path) -> None:
    line = command("bisect", case, history, "HEAD~5..HEAD~4").refused()
    assert "neither end shows the fault" in line
    assert "GOOD..BAD" in command("bisect", case, history, "HEAD").refused()


def test_a_finding_keeps_both_commits(history: Path, case: Path, tmp_path: Path) -> None:
    database = str(tmp_path / "kept.db")
    outcome = run_apart(Case(f"kernel:{history}@HEAD~1", LOGGED))
    with Store.open(database) as store:
        store.record(outcome.case, outcome.violations[0], event_log(outcome.events))
    for span in ("HEAD~2..HEAD~1", "HEAD~1..HEAD"):
        assert command("bisect", "1", history, span, "--database", database).code == 0
    shown = json.loads(command("findings", "show", "1", "--json", "--database", database).out)
    assert '("no-dirty-mark")' in shown["introduced_by"]
    assert '("fixed")' in shown["fixed_by"]
