"""Open EL2 of a tree as an engine: here where we are confined, else by a process that is."""

from functools import lru_cache
from pathlib import Path

from stage2fuzz.errors import InputError
from stage2fuzz.hyp.adapter import HypEngine
from stage2fuzz.hyp.build import build
from stage2fuzz.hyp.proof import proved
from stage2fuzz.kernel.confined import opened


@lru_cache(maxsize=8)
def open_engine(tree: str | Path) -> HypEngine:
    """EL2 of ``tree``, kept for the life of the process."""
    return opened(Path(tree), build, proved, HypEngine)


def offer(tree: Path, cache: Path | None = None) -> tuple[tuple[str, ...], str]:
    """What `kernel build` says of EL2: the user's files in it, or why there is none."""
    try:
        return proved(tree, cache).real, ""
    except InputError as error:
        return (), str(error).partition(": ")[2]
