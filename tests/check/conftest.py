"""Repositories that tests make: of a few words, or of the user's tree with faults planted in it."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stage2fuzz.kernel.faults import FAULTS
from stage2fuzz.kernel.mutants import copy_tree, plant
from tests.warm_cache import warm_cache

TREE = "STAGE2FUZZ_KERNEL_TREE"


def git(repository: Path, *arguments: str) -> str:
    """Run git, as somebody."""
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *who, "-C", str(repository), *arguments], capture_output=True, check=True, text=True
    )
    return done.stdout


@pytest.fixture(scope="session", autouse=True)
def _one_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Surveys and trees of this session alone, and each tree compiled once."""
    home = warm_cache(tmp_path_factory.mktemp("cache"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home))
        yield


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A repository of three commits, the last of which changes nothing that is compiled."""
    repository = tmp_path / "words"
    folder = repository / "arch/arm64/kvm"
    (folder / "hyp").mkdir(parents=True)
    (folder / "mmu.c").write_text("one\n")
    (folder / "hyp/pgtable.c").write_text("one\n")
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "-m", "first")
    (folder / "mmu.c").write_text("two\n")
    git(repository, "commit", "--quiet", "--all", "-m", "KVM: second")
    (repository / "README").write_text("words\n")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "-m", "third")
    return repository


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a repository of the user's tree, with one commit a planted fault; ``-`` changes a
    comment, ``broken`` does not compile, ``fixed`` takes everything back."""
    name = os.environ.get(TREE)
    if not name:
        pytest.skip(f"needs a Linux tree: set {TREE} to its path")

    def make(*faults: str) -> Path:
        tree, repository = Path(name), tmp_path_factory.mktemp("planted") / "linux"
        copy_tree(tree, repository)
        git(repository, "init", "--quiet", "--initial-branch=main")
        git(repository, "add", "--all", "--force")
        git(repository, "commit", "--quiet", "-m", "as released")
        mmu = repository / "arch/arm64/kvm/mmu.c"
        for fault in faults:
            title = fault
            if fault == "-":
                (repository / "arch/arm64/kvm/Kconfig").write_text(f"# {title}\n")
                title = "KVM: arm64: words"
            elif fault == "broken":
                mmu.write_text(mmu.read_text() + "\nthis does not compile;\n")
            elif fault == "fixed":
                shutil.copy(tree / "arch/arm64/kvm/mmu.c", mmu)
                pgtable = "arch/arm64/kvm/hyp/pgtable.c"
                shutil.copy(tree / pgtable, repository / pgtable)
            else:
                (wanted,) = (each for each in FAULTS if each.name == fault)
                assert plant(repository, wanted), fault
            git(repository, "commit", "--quiet", "--all", "-m", title)
        return repository

    return make
