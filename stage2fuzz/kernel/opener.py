"""Open a tree as an engine: here where we are confined, else by a process that is."""

from functools import lru_cache
from pathlib import Path

from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import build
from stage2fuzz.kernel.confined import opened
from stage2fuzz.kernel.proof import proved


@lru_cache(maxsize=8)
def open_engine(tree: str | Path) -> KernelEngine:
    """The engine of ``tree``, kept for the life of the process."""
    return opened(Path(tree), build, proved, KernelEngine)
