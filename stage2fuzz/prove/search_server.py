"""Searches what it is asked for: ``python -m ... JUDGE``, the library of the compiled oracles."""

import sys
from collections.abc import Iterator
from pathlib import Path

from stage2fuzz.engine import engine_of
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.oracles.native.binding import NativeJudge
from stage2fuzz.process.frames import Frame
from stage2fuzz.process.serve import serve
from stage2fuzz.prove.request import parse_request
from stage2fuzz.prove.searcher import Searcher


def main(judge: str) -> None:
    """Search until nobody asks any more."""
    compiled = NativeJudge(Path(judge)) if judge else None

    def answers(question: Frame) -> Iterator[Frame]:
        request = parse_request(question)
        engine = engine_of(request.case.engine)
        if not isinstance(engine, KernelEngine):
            raise InputError(request.case.engine, "is no kernel tree", "kernel:TREE")
        yield from Searcher(engine, request, compiled).answers()

    serve(answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
