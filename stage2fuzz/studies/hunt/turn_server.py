"""Takes turns until there are no more: ``python -m ... LIBRARY FD JUDGE``.

The seed that runs is written to the file descriptor's page, where the asker can read it when
kernel code has taken this process down. JUDGE is the library of the compiled oracles, or empty.
"""

import ctypes
import mmap
import sys
from collections.abc import Callable
from pathlib import Path

from stage2fuzz.kernel.native import Native
from stage2fuzz.oracles.native.binding import NativeJudge
from stage2fuzz.process.frames import Frame
from stage2fuzz.process.serve import serve
from stage2fuzz.studies.hunt.turn import (
    Turn,
    TurnResult,
    Wording,
    parse_turn,
    take,
    to_answer,
)


def main(library: str, place: str, judge: str) -> None:
    """Take turns until there are no more."""
    native = Native(Path(library))
    wording = Wording(NativeJudge(Path(judge))) if judge else None
    take_turns(native, place, lambda turn: take(native, turn, wording))


def take_turns(native: Native, place: str, taken: Callable[[Turn], TurnResult]) -> None:
    """Answer each turn that is asked for by what ``taken`` makes of it."""
    running = mmap.mmap(int(place), mmap.PAGESIZE)
    native.watch(ctypes.c_uint64.from_buffer(running))

    def answers(question: Frame) -> list[Frame]:
        turn = parse_turn(question)
        return [to_answer(taken(turn), turn.scenario)]

    serve(answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
