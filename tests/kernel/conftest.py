"""The tree that these tests run: never ours, always named by the environment."""

import os
from pathlib import Path

import pytest

from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import build

TREE = "STAGE2FUZZ_KERNEL_TREE"


@pytest.fixture(scope="session")
def tree() -> Path:
    """A Linux tree; without one the test is skipped and says why."""
    name = os.environ.get(TREE)
    if not name:
        pytest.skip(f"needs a Linux tree: set {TREE} to its path")
    return Path(name)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of built libraries for the session."""
    return tmp_path_factory.mktemp("kernel-cache")


@pytest.fixture(scope="session")
def kernel(tree: Path, cache: Path) -> KernelEngine:
    """The engine of the tree."""
    return KernelEngine(build(tree, cache))
