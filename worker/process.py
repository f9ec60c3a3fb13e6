"""Run one confined program and watch it: time, memory, output, and whether it is still wanted.

What a fuzzing process does is nobody's plan, so all that is trusted here is what the kernel
enforces: it runs in a process group of its own that is killed as a whole, dies with us, can't grow
beyond its limits, and inherits an environment in which no database or broker is named.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stage2fuzz.places import IMPORT_ROOT, PACKAGE

POLL_SECONDS: Final = 0.1
MAX_MEMORY: Final = 4 << 30
"""Address space; CPython and libFuzzer map far more than they touch."""
MAX_FILE: Final = 64 << 20
MAX_FOLDER: Final = 256 << 20
"""Bytes that all files of an order's folder may have."""
LEAST_ROOM: Final = 256 << 20
"""Bytes that must be free on the disk for an order to be worth its while."""
LOOK_SECONDS: Final = 2.0
INHERITED: Final = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "XDG_CACHE_HOME")
"""The only variables a fuzzing process gets from us."""


class DiedError(RuntimeError):
    """The process died and left nothing that says of what; worth another attempt."""


class NoRoomError(Exception):
    """The machine can't work now (its disk is full); another one may, or we later."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: ``ok``, ``crash``, ``timeout``, ``output``; and its exit code."""

    how: str
    code: int


def run(
    program: Sequence[str],
    folder: Path,
    seconds: float,
    beat: Callable[[], None],
    more: Mapping[str, str] | None = None,
) -> Ended:
    """Run ``program`` in ``folder`` for at most ``seconds``; its output goes to ``log`` there.

    ``beat`` is called about ten times a second; what it raises ends the program, too.
    """
    confined = [
        sys.executable,
        "-I",
        "-S",
        str(PACKAGE / "process" / "confine.py"),
        str(os.getpid()),
        str(MAX_MEMORY),
        str(MAX_FILE),
        str(2 * int(seconds) + 10),
        *program,
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            confined,
            cwd=folder,
            env=environment(folder) | dict(more or {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return _watch(process, folder, seconds, beat)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def environment(folder: Path) -> dict[str, str]:
    """All that the program may know of us."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return kept | {
        "PYTHONPATH": str(IMPORT_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }


def _watch(
    process: "subprocess.Popen[bytes]", folder: Path, seconds: float, beat: Callable[[], None]
) -> Ended:
    end = time.monotonic() + seconds
    look = time.monotonic() + LOOK_SECONDS
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(POLL_SECONDS)
            return Ended("ok" if code == 0 else "crash", code)
        beat()
        if time.monotonic() > end:
            return Ended("timeout", -signal.SIGKILL)
        if time.monotonic() > look:
            look = time.monotonic() + LOOK_SECONDS
            if folder_bytes(folder) > MAX_FOLDER:
                return Ended("output", -signal.SIGKILL)


def last_words(folder: Path) -> str:
    """The last line of the log, for a person to read; nothing is concluded from it."""
    with (folder / "log").open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
        lines = log.read().decode(errors="replace").strip().splitlines() or [""]
    return "".join(letter for letter in lines[-1][:300] if letter.isprintable())


def folder_bytes(folder: Path) -> int:
    """Bytes of all regular files below ``folder``; files that vanish meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_size
    return total


def expect_room(folder: Path) -> None:
    """Raise NoRoomError if the disk of ``folder`` is full: what died of that proves nothing."""
    free = shutil.disk_usage(folder).free
    if free < LEAST_ROOM:
        raise NoRoomError(f"{free >> 20} MiB are free in {folder.parent}")
