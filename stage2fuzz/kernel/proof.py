"""Build and prove a tree in a confined process: its scripts and its code run nowhere else.

The build runs the tree's awk script and the compiler over its files; the proof loads the result,
whose constructors run, and executes a smoke program. Each may do whatever it likes, or never end.
"""

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import PROVED, Library, build, find
from stage2fuzz.process.child import Child
from stage2fuzz.process.end import DiedError
from stage2fuzz.process.frames import Frame
from stage2fuzz.process.limits import Limits
from stage2fuzz.process.serve import serve

BUILD_SECONDS: Final = 180.0
"""A build takes five to twenty seconds, of which the compiler takes all but one."""


def proved(tree: Path, cache: Path | None = None) -> Library:
    """The engine of ``tree``, built and proved, or found so in ``cache``.

    InputError where it does not fit, makes no progress, or takes the process down.
    """
    library = find(tree, cache)
    if library is not None:
        return library
    question = {
        "do": "build and proof",
        "tree": str(tree.resolve()),
        "cache": "" if cache is None else str(cache.resolve()),
    }
    with closing(Child("stage2fuzz.kernel.proof", limits=Limits(cpu=int(BUILD_SECONDS)))) as child:
        try:
            child.ask_one(question, BUILD_SECONDS)
        except DiedError as died:
            raise InputError(str(tree), str(died), "a tree whose code comes to an end") from None
    library = find(tree, cache)
    if library is None:
        raise InputError(str(tree), "the tree, or the cache, changed while it was proved")
    return library


def answers(question: Frame) -> Iterator[Frame]:
    """Build and prove, in the confined process."""
    library = build(Path(question["tree"]), Path(question["cache"]) if question["cache"] else None)
    KernelEngine(library).prove()
    with suppress(OSError):  # a cache that can't be written was written by somebody else
        (library.path.parent / PROVED).touch()
    yield {"key": library.key}


if __name__ == "__main__":
    serve(answers)
