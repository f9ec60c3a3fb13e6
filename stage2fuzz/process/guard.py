"""Guard a whole command that runs a tree's code: it runs once more, confined, and we watch it.

For commands that make so many runs that no run may cross a process boundary, and that keep no
findings. The confined command prints for itself; when it has really ended it tells its guard the
code, through a pipe that it alone has. One that ends without that, or stops giving signs of life,
was ended by what it ran, and nothing of what it did not print is known.
"""

import contextlib
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from stage2fuzz.process.confined import ConfinedProcess
from stage2fuzz.process.end import DiedError, End, How
from stage2fuzz.process.limits import Limits
from stage2fuzz.process.wait import POLL_SECONDS

GUARDED: Final = "STAGE2FUZZ_GUARDED"
"""Two file descriptors of a guarded command: where its code goes, and the page of its beats."""
SHOWN: Final = ("TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "STAGE2FUZZ_COMMAND")
"""Variables that decide how a command prints."""
STALL_SECONDS: Final = 60.0
"""Without a beat after which a command hangs; starting up takes a second of it."""


def guard(what: str, arguments: Sequence[str]) -> int:
    """Run the command line ``arguments`` confined; its exit code.

    Raises DiedError, which names ``what``, where it did not come to its end. An interrupt goes to
    the command, which may still have something to say.
    """
    with tempfile.TemporaryDirectory(prefix="stage2fuzz-guard-") as folder, _page() as page:
        place, beats = page
        said, says = os.pipe()
        more = {GUARDED: f"{says},{place}"} | _shown()
        program = (sys.executable, "-m", "stage2fuzz", *arguments)
        confined = ConfinedProcess(
            program,
            Path(folder),
            Limits(),
            more,
            stdout=1,
            stderr=2,
            inherited=(says, place),
            cwd=Path.cwd(),
        )
        os.close(says)
        try:
            with _forwarding(confined):
                end = _watched(confined, beats)
            code = os.read(said, 16)
        finally:
            confined.close()
            os.close(said)
    if end.how is How.TIMEOUT or code != str(end.code).encode():
        raise DiedError(what, end)
    return end.code


def _shown() -> dict[str, str]:
    return {name: os.environ[name] for name in SHOWN if name in os.environ}


@contextmanager
def _page() -> Iterator[tuple[int, mmap.mmap]]:
    with tempfile.TemporaryFile() as file:
        file.truncate(mmap.PAGESIZE)
        with mmap.mmap(file.fileno(), mmap.PAGESIZE) as page:
            yield file.fileno(), page


@contextmanager
def _forwarding(confined: ConfinedProcess) -> Iterator[None]:
    def forward(_number: int, _frame: FrameType | None) -> None:
        confined.signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, forward)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _watched(confined: ConfinedProcess, beats: mmap.mmap) -> End:
    seen, last = beats[:8], time.monotonic()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return End.of(confined.process.wait(POLL_SECONDS))
        if beats[:8] != seen:
            seen, last = beats[:8], time.monotonic()
        if time.monotonic() > last + STALL_SECONDS:
            return End(How.TIMEOUT, confined.close())


class Pulse:
    """The guarded command's side: a sign of life for each run, and its code at the end."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Of this process; without a guard nobody listens."""
        says, _, place = environment.get(GUARDED, "").partition(",")
        self._says = int(says) if says else None
        self._page = mmap.mmap(int(place), mmap.PAGESIZE) if place else None
        self._beats = 0

    def beat(self) -> None:
        """One more run is done."""
        if self._page is not None:
            self._beats += 1
            self._page[:8] = self._beats.to_bytes(8, sys.byteorder)

    def end(self, code: object) -> None:
        """The command has come to its end with this code."""
        if self._says is not None:
            os.write(self._says, str(code or 0).encode())
