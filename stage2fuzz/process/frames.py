"""Frames: the messages between an asker and a confined process, each a JSON object on a line.

The process may have been taken over by what it ran, so whatever comes out of the pipe is bounded,
and is a JSON object or an error; what is in it is checked by whoever asked. A question is any
object, what comes back is one of

- ``{"answer": OBJECT}``, any number of times,
- ``{"done": true}`` after the last answer,
- ``{"alive": true}``, at any time: nothing is done yet, but the work goes on,
- ``{"refused": [WHERE, WHAT, RIGHT]}``, the parts of an ``InputError``,
- ``{"starved": WORDS}`` where the system refuses it memory, files or the like,
- ``{"bug": TRACEBACK}`` for any other exception, our own bug.
"""

import json
import os
import select
import time
from collections.abc import Callable
from typing import Any, Final

MOST: Final = 64 << 20
"""Bytes of one frame; a process that says more has gone wrong."""
CHUNK: Final = 1 << 16

Frame = dict[str, Any]
ALIVE: Final[Frame] = {"alive": True}


def to_bytes(frame: Frame) -> bytes:
    """A frame as it is written."""
    return json.dumps(frame).encode() + b"\n"


class Frames:
    """The frames that come out of a file descriptor."""

    def __init__(self, source: int) -> None:
        """``source`` is the reading end of a pipe."""
        self._source = source
        self._begun = bytearray()
        self._searched = 0

    def next(self, poll: float, look: Callable[[], object]) -> Frame | None:
        """The next frame, or None at the end of the pipe or when ``look`` returns anything.

        ``look`` is called every ``poll`` seconds. Raises ValueError for what is no frame.
        """
        looked = time.monotonic()
        while (line := self._line()) is None:
            if len(self._begun) > MOST:
                raise ValueError("a frame without end")
            if select.select([self._source], [], [], poll)[0]:
                chunk = os.read(self._source, CHUNK)
                if not chunk:
                    return None
                self._begun += chunk
            if time.monotonic() - looked >= poll:
                looked = time.monotonic()
                if look():
                    return None
        return parse_frame(line)

    def _line(self) -> bytes | None:
        at = self._begun.find(b"\n", self._searched)
        if at < 0:
            self._searched = len(self._begun)
            return None
        line = bytes(self._begun[:at])
        del self._begun[: at + 1]
        self._searched = 0
        return line


def parse_frame(line: bytes) -> Frame:
    """The JSON object of a line; ValueError for anything else."""
    try:
        frame = json.loads(line)
    except RecursionError:
        raise ValueError("a frame too deep") from None
    if not isinstance(frame, dict):
        raise ValueError("a frame that is no object")
    return frame
