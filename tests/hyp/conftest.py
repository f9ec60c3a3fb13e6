"""The tree whose EL2 these tests run: never ours, always named by the environment."""

import os
from pathlib import Path

import pytest

from stage2fuzz.hyp.adapter import HypEngine
from stage2fuzz.hyp.build import missing
from stage2fuzz.hyp.proof import proved

TREES = ("STAGE2FUZZ_EL2_TREE", "STAGE2FUZZ_KERNEL_TREE")


@pytest.fixture(scope="session")
def el2_tree() -> Path:
    """A Linux tree whose EL2 knows guests, from v6.14 on."""
    named = [Path(os.environ[name]) for name in TREES if os.environ.get(name)]
    if not named:
        pytest.skip(f"needs a Linux tree: set {TREES[0]} to its path")
    for tree in named:
        if not missing(tree):
            return tree
    pytest.skip("the tree has no EL2 with guests: set STAGE2FUZZ_EL2_TREE to one of v6.14 or later")


@pytest.fixture(scope="session")
def el2(el2_tree: Path) -> HypEngine:
    """EL2 of the tree, built, started and proved in a process of its own."""
    return HypEngine(proved(el2_tree))
