"""The confined process that builds and proves EL2 of a tree; ``proof`` is the other end."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from stage2fuzz.hyp.adapter import HypEngine
from stage2fuzz.hyp.build import PROVED, build
from stage2fuzz.process.frames import Frame
from stage2fuzz.process.life import alive
from stage2fuzz.process.serve import serve


def answers(question: Frame) -> Iterator[Frame]:
    """Build, and prove if that is asked, in the confined process."""
    library = build(Path(question["tree"]), Path(question["cache"]) if question["cache"] else None)
    if question["do"] != "build":
        alive()
        HypEngine(library).prove()
        with suppress(OSError):  # a cache that can't be written was written by somebody else
            (library.path.parent / PROVED).touch()
    yield {"key": library.key}


if __name__ == "__main__":
    serve(answers)
