"""Trees are read from the object store, and nothing that is the user's is touched."""

from pathlib import Path

import pytest

from stage2fuzz.check.version import of_range
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.repository import Repository, kept, located
from tests.check.conftest import git


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def mmu(tree: Path) -> str:
    return (tree / "arch/arm64/kvm/mmu.c").read_text()


def test_a_commit_is_read_whatever_the_checkout_holds(words: Path) -> None:
    (words / "arch/arm64/kvm/mmu.c").write_text("not committed\n")
    before = git(words, "status", "--porcelain")
    assert mmu(located(words.with_name("words@HEAD~2"))) == "one\n"
    assert mmu(located(words.with_name("words@HEAD"))) == "two\n"
    assert git(words, "status", "--porcelain") == before
    assert mmu(words) == "not committed\n"


def test_commits_that_differ_elsewhere_share_one_folder(words: Path) -> None:
    repository = Repository(words)
    assert repository.extract("HEAD") == repository.extract("HEAD~1")
    assert repository.extract("HEAD") != repository.extract("HEAD~2")


def test_a_bare_repository_does_as_well(words: Path, tmp_path: Path) -> None:
    git(words, "clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
    assert mmu(located(tmp_path / "bare.git@HEAD~2")) == "one\n"


def test_a_commit_by_its_id_is_asked_of_git_once(words: Path) -> None:
    name = words.with_name(f"words@{Repository(words).commit('HEAD~1').short}")
    first = located(name)
    (words / ".git").rename(words / "gone")
    assert located(name) == first
    with pytest.raises(InputError):
        located(words.with_name("words@HEAD"))


def test_git_that_a_name_alone_asks_for_is_caged_and_fetches_nothing(
    words: Path, tmp_path: Path
) -> None:
    """A repository that wants to run a program of its own as an object is missing."""
    partial = tmp_path / "partial"
    for name in ("allowFilter", "allowAnySHA1InWant"):
        git(words, "config", f"uploadpack.{name}", "true")
    cloned = ("--quiet", "--no-checkout", "--filter=blob:none", f"file://{words}", str(partial))
    git(tmp_path, "clone", *cloned)
    evil = tmp_path / "evil"
    evil.write_text(f'#!/bin/sh\ntouch {tmp_path}/ran\nexec git-upload-pack "$@"\n')
    evil.chmod(0o755)
    git(partial, "config", "remote.origin.uploadpack", str(evil))
    git(partial, "config", "protocol.allow", "always")
    tree = partial.with_name(f"partial@{Repository(partial).commit('HEAD').short}")
    with pytest.raises(InputError, match="a clone that is not partial"):
        located(tree)
    assert not (tmp_path / "ran").exists()
    # Whoever typed its name trusts its configuration, as git itself does.
    assert mmu(kept(Repository(partial), "HEAD")) == "two\n"
    assert (tmp_path / "ran").exists()


def test_check_reads_with_the_user_s_rights_what_a_name_alone_may_not(
    words: Path, tmp_path: Path
) -> None:
    git(words, "config", "uploadpack.allowFilter", "true")
    git(words, "config", "uploadpack.allowAnySHA1InWant", "true")
    partial = tmp_path / "partial"
    cloned = ("--quiet", "--no-checkout", "--filter=blob:none", f"file://{words}", str(partial))
    git(tmp_path, "clone", *cloned)
    versions = of_range(Repository(partial), "HEAD~2..HEAD")
    names = [Path(each.engine.removeprefix("kernel:")) for each in versions]
    assert [mmu(located(each)) for each in names] == ["one\n", "two\n", "two\n"]


def test_a_hook_of_git_that_names_another_repository_is_not_followed(
    words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert Repository(words).commit("HEAD").title == "third"


@pytest.mark.parametrize("commit", ["nothing", "--help", "HEAD~9", "HEAD:arch"])
def test_what_names_no_commit_is_refused_in_one_line(words: Path, commit: str) -> None:
    with pytest.raises(InputError, match="no commit") as refused:
        Repository(words).commit(commit)
    assert "\n" not in str(refused.value)


def test_a_repository_without_the_folders_is_refused(words: Path) -> None:
    git(words, "rm", "-r", "--quiet", "arch")
    git(words, "commit", "--quiet", "-m", "gone")
    with pytest.raises(InputError, match="has no arch/arm64/kvm"):
        Repository(words).extract("HEAD")


def test_a_range_is_its_base_and_each_commit_the_oldest_first(words: Path) -> None:
    versions = of_range(Repository(words), "HEAD~2..HEAD")
    assert [each.name for each in versions] == ["base", "1/2", "2/2"]
    assert [each.title for each in versions] == ["first", "KVM: second", "third"]


def test_without_a_range_it_is_what_the_upstream_has_not_got(words: Path) -> None:
    assert [each.title for each in of_range(Repository(words), "")] == ["KVM: second", "third"]
    git(words, "branch", "upstream", "HEAD~2")
    git(words, "branch", "--quiet", "--set-upstream-to=upstream")
    titles = [each.title for each in of_range(Repository(words), "")]
    assert titles == ["first", "KVM: second", "third"]


def test_a_range_begins_where_both_ends_part(words: Path) -> None:
    git(words, "checkout", "--quiet", "-b", "side", "HEAD~2")
    git(words, "commit", "--quiet", "--allow-empty", "-m", "aside")
    versions = of_range(Repository(words), "main..side")
    assert [each.title for each in versions] == ["first", "aside"]


def test_a_range_without_commits_is_refused(words: Path) -> None:
    with pytest.raises(InputError, match="has no commits"):
        of_range(Repository(words), "HEAD..HEAD~1")
