"""Open a tree as an engine: here where we are confined, else by a process that is."""

from functools import lru_cache
from pathlib import Path

from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import build
from stage2fuzz.kernel.proof import proved
from stage2fuzz.process.limits import is_confined


@lru_cache(maxsize=8)
def open_engine(tree: str | Path) -> KernelEngine:
    """The engine of ``tree``, built if need be, proved, kept for the life of the process.

    A confined process does all that itself; any other has it done by one, and loads nothing before
    something is run.
    """
    if is_confined():
        made = KernelEngine(build(Path(tree)))
        made.prove()
        return made
    return KernelEngine(proved(Path(tree)))
