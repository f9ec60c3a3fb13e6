"""Build and prove a tree in a confined process: its scripts and its code run nowhere else.

The build runs the tree's awk script and the compiler over its files; the proof loads the result,
whose constructors run, and executes a smoke program. Each may do whatever it likes, or never end.
"""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError
from stage2fuzz.kernel.build import Library, find
from stage2fuzz.process.child import Child
from stage2fuzz.process.end import DiedError
from stage2fuzz.process.limits import Limits

SERVER: Final = "stage2fuzz.kernel.proof_server"
BUILD_SECONDS: Final = 180.0
"""A build takes five to twenty seconds, of which the compiler takes all but one."""


def proved(tree: Path, cache: Path | None = None) -> Library:
    """The engine of ``tree``, built and proved, or found so in ``cache``.

    InputError where it does not fit, makes no progress, or takes the process down.
    """
    library = find(tree, cache)
    if library is not None:
        return library
    _ask("build and proof", tree, cache)
    return _found(tree, cache, proof=True)


def built(tree: Path, cache: Path | None = None) -> Library:
    """The engine of ``tree``, built as ``proved`` does it, but believed without a proof: a tree
    with a planted fault may well make no progress. InputError as of ``proved``.
    """
    library = find(tree, cache, proof=False)
    if library is not None:
        return library
    _ask("build", tree, cache)
    return _found(tree, cache, proof=False)


def _ask(what: str, tree: Path, cache: Path | None) -> None:
    question = {
        "do": what,
        "tree": str(_absolute(tree)),
        "cache": "" if cache is None else str(_absolute(cache)),
    }
    with closing(Child(SERVER, limits=Limits(cpu=int(BUILD_SECONDS)))) as child:
        try:
            child.ask_one(question, BUILD_SECONDS)
        except DiedError as died:
            raise InputError(str(tree), str(died), "a tree whose code comes to an end") from None


def _absolute(path: Path) -> Path:
    """The path where the confined process looks for it."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError up to 3.12
        what = getattr(error, "strerror", None) or str(error)
        raise InputError(str(path), what, "a folder") from None


def _found(tree: Path, cache: Path | None, proof: bool) -> Library:
    library = find(tree, cache, proof)
    if library is None:
        raise InputError(str(tree), "the tree, or the cache, changed while it was built")
    return replace(library, cached=False)
