"""The input that a fuzzing process is at, where others can read it after the process has died.

libFuzzer keeps the input that it died of, but our own loop has no libFuzzer, and memory that wild
code has damaged may kill either without a word. A mapped file costs a microsecond an input.
"""

import mmap
import os
import stat
import struct
from pathlib import Path
from typing import Final

LENGTH: Final = struct.Struct("<I")
ROOM: Final = 1 << 16
"""Bytes of the longest input that is kept."""
_NAME: Final = "running"


class CurrentInput:
    """The file of one process."""

    def __init__(self, outbox: Path) -> None:
        with (outbox / _NAME).open("wb+") as file:
            file.truncate(LENGTH.size + ROOM)
            self._map = mmap.mmap(file.fileno(), LENGTH.size + ROOM)

    def begin(self, data: bytes) -> None:
        """``data`` is about to be run."""
        kept = data[:ROOM]
        self._map[LENGTH.size : LENGTH.size + len(kept)] = kept
        self._map[: LENGTH.size] = LENGTH.pack(len(kept) + 1)

    def end(self) -> None:
        """It is done."""
        self._map[: LENGTH.size] = LENGTH.pack(0)


def left_running(outbox: Path) -> bytes | None:
    """The input at which a process died; None where it was at none. Never waits for a pipe."""
    try:
        source = os.open(outbox / _NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(source, "rb") as file:
        data = file.read(LENGTH.size + ROOM) if stat.S_ISREG(os.fstat(source).st_mode) else b""
    length = LENGTH.unpack_from(data)[0] if len(data) >= LENGTH.size else 0
    return data[LENGTH.size : LENGTH.size + length - 1] if length else None
