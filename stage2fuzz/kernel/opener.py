"""Open a tree as an engine: here where we are confined, else by a process that is."""

from functools import lru_cache, partial
from pathlib import Path

from stage2fuzz.arch import GRANULE_4K, GRANULE_16K, GRANULE_64K, TranslationGranule
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import build
from stage2fuzz.kernel.confined import opened
from stage2fuzz.kernel.proof import proved


@lru_cache(maxsize=8)
def open_engine(tree: str | Path, granule: TranslationGranule = GRANULE_4K) -> KernelEngine:
    """The engine of ``tree``, kept for the life of the process."""
    sized = partial(build, granule=granule), partial(proved, granule=granule)
    return opened(Path(tree), *sized, KernelEngine)


def open_16k(tree: str | Path) -> KernelEngine:
    """The same for pages of 16 KiB."""
    return open_engine(tree, GRANULE_16K)


def open_64k(tree: str | Path) -> KernelEngine:
    """The same for pages of 64 KiB."""
    return open_engine(tree, GRANULE_64K)
