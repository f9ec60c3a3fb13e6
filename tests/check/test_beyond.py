"""What a patch touches beyond stage 2 is checked too, or named."""

from pathlib import Path

from stage2fuzz.check.beyond import el2_of, unseen
from stage2fuzz.check.version import Version, of_engines
from tests.check.conftest import git


def two_trees(words: Path, tmp_path: Path, changed: str) -> list[Version]:
    """A tree of a few words, and a copy in which one file differs."""
    after = tmp_path / "after"
    git(words, "worktree", "add", "--quiet", "--detach", str(after))
    (after / changed).parent.mkdir(parents=True, exist_ok=True)
    (after / changed).write_text("changed\n")
    return of_engines(f"kernel:{words}", f"kernel:{after}")


def test_code_that_no_engine_is_made_of_is_named(words: Path, tmp_path: Path) -> None:
    versions = two_trees(words, tmp_path, "arch/arm64/kvm/vgic/vgic-its.c")
    assert unseen(versions, versions) == ["arch/arm64/kvm/vgic/vgic-its.c"]


def test_words_are_no_code(words: Path, tmp_path: Path) -> None:
    assert unseen(two_trees(words, tmp_path, "arch/arm64/kvm/Kconfig"), ()) == []


def test_a_tree_without_el2_has_none_to_check(words: Path, tmp_path: Path) -> None:
    assert el2_of(two_trees(words, tmp_path, "arch/arm64/kvm/hyp/nvhe/mem_protect.c")) == []


def test_a_model_has_nothing_beyond() -> None:
    versions = of_engines("model:v5.10", "model:v5.12")
    assert not el2_of(versions) and not unseen(versions, versions)
