"""A series in a mailbox is applied where nobody sees it."""

from pathlib import Path

import pytest

from stage2fuzz.check.mailbox import of_mailbox, read_patches, repository_of
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.repository import Repository
from tests.check.conftest import git

COVER = """\
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: A <a@example.org>
Date: Thu, 3 Dec 2020 00:00:00 +0000
Subject: [PATCH 0/2] a cover letter

Nothing to apply.

"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def series(words: Path) -> Path:
    """Two patches on top of ``words``, the second also outside of what is compiled."""
    git(words, "checkout", "--quiet", "-b", "work")
    for name, text in (("first change", "three\n"), ("second change", "four\n")):
        (words / "arch/arm64/kvm/mmu.c").write_text(text)
        (words / "README").write_text(text)
        git(words, "commit", "--quiet", "--all", "-m", name)
    mails = git(words, "format-patch", "--stdout", "-2", "HEAD")
    git(words, "checkout", "--quiet", "main")
    path = words.parent / "series.mbx"
    path.write_text(COVER + mails)
    return path


def objects(repository: Path) -> list[Path]:
    return sorted((repository / ".git/objects").rglob("*"))


def test_each_patch_is_a_version_on_top_of_those_before(words: Path, series: Path) -> None:
    before, status = objects(words), git(words, "status", "--porcelain")
    versions = of_mailbox(Repository(words), "", series)
    assert [each.name for each in versions] == ["base", "1/2", "2/2"]
    assert [each.title for each in versions[1:]] == ["first change", "second change"]
    trees = [Path(each.engine.removeprefix("kernel:")) for each in versions[1:]]
    assert [(tree / "arch/arm64/kvm/mmu.c").read_text() for tree in trees] == ["three\n", "four\n"]
    assert objects(words) == before
    assert git(words, "status", "--porcelain") == status


def test_mails_that_came_in_another_order_are_put_in_theirs(words: Path, series: Path) -> None:
    first, second, third = series.read_text().split("\nFrom ")
    series.write_text("From " + third.rstrip("\n") + "\n\nFrom " + second + "\n\n" + first)
    titles = [each.title for each in read_patches(Repository(words), series)]
    assert titles == ["first change", "second change"]


def test_a_title_is_text_and_no_order_for_a_terminal(words: Path, series: Path) -> None:
    mails = series.read_text()
    series.write_text(mails.replace("first change", "=?utf-8?q?first=1b=5b2J_change?="))
    titles = [each.title for each in read_patches(Repository(words), series)]
    assert titles == ["first\ufffd[2J change", "second change"]
    git(words, "commit", "--quiet", "--allow-empty", "-m", "a\x1b[2J\x0bb")
    assert Repository(words).commit("HEAD").title == "a\ufffd[2J\ufffdb"


def test_a_bare_diff_is_one_patch(words: Path, tmp_path: Path) -> None:
    (words / "arch/arm64/kvm/mmu.c").write_text("three\n")
    (tmp_path / "my.diff").write_text(git(words, "diff"))
    versions = of_mailbox(Repository(words), "HEAD", tmp_path / "my.diff")
    assert [each.name for each in versions] == ["base", "head"]


def test_a_patch_that_does_not_fit_is_refused_by_its_title(words: Path, series: Path) -> None:
    with pytest.raises(InputError, match=r"first change: .*BASE"):
        of_mailbox(Repository(words), "HEAD~2", series)


def test_a_mailbox_without_a_patch_is_refused(words: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mbx").write_text(COVER)
    with pytest.raises(InputError, match="holds no patch"):
        of_mailbox(Repository(words), "", tmp_path / "empty.mbx")


def test_a_tree_without_git_takes_a_mailbox_too(words: Path, series: Path) -> None:
    for each in (words / ".git").iterdir():
        each.rename(words.parent / f"gone-{each.name}")
    (words / ".git").rmdir()
    with repository_of(words) as repository:
        versions = of_mailbox(repository, "", series)
    tree = Path(versions[-1].engine.removeprefix("kernel:"))
    assert (tree / "arch/arm64/kvm/mmu.c").read_text() == "four\n"
    assert not (words / ".git").exists()
