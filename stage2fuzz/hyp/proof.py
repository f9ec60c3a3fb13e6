"""Build and prove EL2 of a tree in a confined process: its scripts and code run nowhere else."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError
from stage2fuzz.hyp.build import HypLibrary, find
from stage2fuzz.process.child import Child
from stage2fuzz.process.end import DiedError
from stage2fuzz.process.limits import Limits

SERVER: Final = "stage2fuzz.hyp.proof_server"
BUILD_SECONDS: Final = 180.0


def proved(tree: Path, cache: Path | None = None) -> HypLibrary:
    """EL2 of ``tree``, built and proved, or found so in ``cache``.

    InputError where it does not fit, does not start, or takes the process down.
    """
    return find(tree, cache) or _made("build and proof", tree, cache)


def built(tree: Path, cache: Path | None = None) -> HypLibrary:
    """EL2 of ``tree`` without a proof: with a planted fault it may well not start."""
    return find(tree, cache, proof=False) or _made("build", tree, cache)


def _made(what: str, tree: Path, cache: Path | None) -> HypLibrary:
    question = {
        "do": what,
        "tree": str(tree.absolute()),
        "cache": "" if cache is None else str(cache.absolute()),
    }
    with closing(Child(SERVER, limits=Limits(cpu=int(BUILD_SECONDS)))) as child:
        try:
            child.ask_one(question, BUILD_SECONDS)
        except DiedError as died:
            raise InputError(str(tree), str(died), "a tree whose code comes to an end") from None
    library = find(tree, cache, what != "build")
    if library is None:
        raise InputError(str(tree), "the tree, or the cache, changed while it was built")
    return replace(library, cached=False)
