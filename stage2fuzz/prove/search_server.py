"""Searches what it is asked for: ``python -m ... JUDGE``, the library of the compiled oracles."""

import sys
from collections.abc import Iterator
from pathlib import Path

from stage2fuzz.engine import ENGINES, engine_of, kind_of, parts_of
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import find
from stage2fuzz.oracles.native.binding import NativeJudge
from stage2fuzz.process.frames import Frame
from stage2fuzz.process.serve import serve
from stage2fuzz.prove.request import ProofRequest, parse_request
from stage2fuzz.prove.searcher import Searcher


def main(judge: str) -> None:
    """Search until nobody asks any more."""
    compiled = NativeJudge(Path(judge)) if judge else None

    def answers(question: Frame) -> Iterator[Frame]:
        request = parse_request(question)
        yield from Searcher(engine_for(request), request, compiled).answers()

    serve(answers)


def engine_for(request: ProofRequest) -> KernelEngine:
    """The engine that is asked about; InputError where it is none of a kernel."""
    name = request.case.engine
    kind, tree = kind_of(name), parts_of(name)[1]
    if request.cache and kind.module == ENGINES["kernel"].module:
        library = find(Path(tree), Path(request.cache), proof=False, granule=kind.granule)
        if library is None:
            raise InputError(name, "is not built", "a tree that was built there")
        return KernelEngine(library)
    engine = engine_of(name)
    if not isinstance(engine, KernelEngine):
        raise InputError(name, "is no kernel tree", "kernel:TREE")
    return engine


if __name__ == "__main__":
    main(*sys.argv[1:])
