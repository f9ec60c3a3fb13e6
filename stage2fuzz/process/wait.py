"""Look after a confined program: its time, its output, and whether it is still wanted."""

import contextlib
import math
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from stage2fuzz.process.confined import ConfinedProcess
from stage2fuzz.process.end import End, How
from stage2fuzz.process.limits import Limits

POLL_SECONDS: Final = 0.1
LOOK_SECONDS: Final = 2.0
"""Between two looks at how much a program has written."""
LEAST_ROOM: Final = 256 << 20
"""Bytes that must be free on the disk for an order to be worth its while."""


class NoRoomError(Exception):
    """The machine can't work now (its disk is full); another one may, or we later."""


def nothing() -> None:
    """The heartbeat of whoever has none."""


class Watch:
    """What whoever waits looks after, about ten times a second."""

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        seconds: float,
        beat: Callable[[], None] = nothing,
        silence: float = math.inf,
    ) -> None:
        """``beat`` is called at each look; what it raises goes through. ``silence`` is how many
        seconds may pass between two calls of ``heard``.
        """
        self._folder, self._most, self._beat = folder, limits.folder, beat
        self._end = time.monotonic() + seconds
        self._silence, self._heard = silence, time.monotonic()
        self._next = time.monotonic() + LOOK_SECONDS

    def heard(self) -> None:
        """The program gave a sign of life."""
        self._heard = time.monotonic()

    def look(self) -> How | None:
        """Why the program must be ended now; None where it may go on."""
        self._beat()
        now = time.monotonic()
        if now > self._end or now > self._heard + self._silence:
            return How.TIMEOUT
        if self._most and now > self._next:
            self._next = now + LOOK_SECONDS
            if folder_bytes(self._folder) > self._most:
                return How.OUTPUT
        return None


def run_confined(
    program: Sequence[str],
    folder: Path,
    limits: Limits,
    seconds: float,
    beat: Callable[[], None] = nothing,
    more: Mapping[str, str] | None = None,
) -> End:
    """Run ``program`` in ``folder`` for at most ``seconds``; its output goes to ``log`` there."""
    with (folder / "log").open("wb") as log:
        confined = ConfinedProcess(program, folder, limits, more, stdout=log)
    watch = Watch(folder, limits, seconds, beat)
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return End.of(confined.process.wait(POLL_SECONDS))
            if how := watch.look():
                return End(how, confined.close())
    finally:
        confined.close()


def last_words(log: Path) -> str:
    """The last line of a log, for a person to read; nothing is concluded from it."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().decode(errors="replace").strip().splitlines() or [""]
    except OSError:
        return ""
    return "".join(letter for letter in lines[-1][:300] if letter.isprintable())


def folder_bytes(folder: Path) -> int:
    """Bytes of all regular files below ``folder``; files that vanish meanwhile count nothing."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    total += folder_bytes(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def expect_room(folder: Path) -> None:
    """Raise NoRoomError if the disk of ``folder`` is full: what died of that proves nothing."""
    free = shutil.disk_usage(folder).free
    if free < LEAST_ROOM:
        raise NoRoomError(f"{free >> 20} MiB are free where {folder} is")
