"""The seed's own patches on a tree from before them read as docs/check.md says."""

import json
import os
from pathlib import Path

import pytest

from stage2fuzz.kernel.mutants import copy_tree, plant
from tests.check.conftest import TREE, git
from tests.check.series_patches import FILTERED, MARKED_LATE, REARRANGED
from tests.cli.terminal import command


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of the user's tree with the three patches on top."""
    name = os.environ.get(TREE)
    if not name:
        pytest.skip(f"needs a Linux tree: set {TREE} to its path")
    repository = tmp_path_factory.mktemp("series") / "linux"
    copy_tree(Path(name), repository)
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "add", "--all", "--force")
    git(repository, "commit", "--quiet", "-m", "as released")
    for patch in (REARRANGED, FILTERED, MARKED_LATE):
        if not plant(repository, patch):
            pytest.skip("the tree has the series")
        git(repository, "commit", "--quiet", "--all", "-m", patch.what)
    return repository


@pytest.mark.slow
def test_what_each_patch_of_the_series_ends_and_brings(series: Path) -> None:
    said = command("check", series, "HEAD~3..HEAD", "--seconds", "10", "--json")
    told = json.loads(said.out)
    assert not told["new"], said
    ended = {each["oracle"] for each in told["gone"] if each["by"] == "2/3"}
    assert {"C6", "G1", "G2", "G3"} <= ended
    brought = {each["oracle"] for each in told["passing"] if each["by"] == "2/3"}
    assert {"D2", "G5"} <= brought
