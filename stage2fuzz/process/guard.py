"""Guard a whole command that runs a tree's code: it runs once more, confined, and we watch it.

For commands that make so many runs that no run may cross a process boundary, and that keep no
findings. What the confined command prints comes through pipes and is printed here, as text: the
tree's code can write to whatever it has open. When the command has really ended it tells its guard
the code, through a pipe of frames. One that ends without that, or stops giving signs of life, was
ended by what it ran, and nothing of what it did not print is known.
"""

import codecs
import contextlib
import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from stage2fuzz.process.confined import ConfinedProcess
from stage2fuzz.process.end import DiedError, End, How
from stage2fuzz.process.frames import ALIVE, Frame, parse_frame, to_bytes
from stage2fuzz.process.life import listen, stall_seconds
from stage2fuzz.process.limits import Limits
from stage2fuzz.process.wait import POLL_SECONDS

GUARDED: Final = "STAGE2FUZZ_GUARDED"
"""The file descriptor of a guarded command where its frames go."""
SHOWN: Final = ("NO_COLOR", "STAGE2FUZZ_COMMAND")
"""Variables that decide how a command prints."""
MOST: Final = 256 << 20
"""Bytes that a command may print; one that prints more has gone wrong."""
MOST_FRAME: Final = 1 << 16
CHUNK: Final = 1 << 16
SIGN_SECONDS: Final = 0.1
"""Between two signs of life that are sent."""

ProgressHandler = Callable[[str, float], None]
"""Takes a line about how far the work is, and its part that is done, 0 to 1."""


def guard(
    what: str,
    arguments: Sequence[str],
    progress: ProgressHandler,
    more: Mapping[str, str] | None = None,
    module: str = "stage2fuzz",
) -> int:
    """Run the command line ``arguments`` of ``module`` confined; its exit code. ``more`` joins its
    environment.

    Raises DiedError, which names ``what``, where it did not come to its end. An interrupt goes to
    the command, which may still have something to say.
    """
    with tempfile.TemporaryDirectory(prefix="stage2fuzz-guard-") as folder:
        says, out, err = os.pipe(), os.pipe(), os.pipe()
        shown = {name: os.environ[name] for name in SHOWN if name in os.environ}
        confined = ConfinedProcess(
            (sys.executable, "-m", module, *arguments),
            Path(folder),
            Limits(),
            {GUARDED: str(says[1])} | shown | dict(more or {}),
            stdout=out[1],
            stderr=err[1],
            inherited=(says[1],),
            cwd=Path.cwd(),
        )
        for _, writing in (says, out, err):
            os.close(writing)
        watched = _Watched(confined, says[0], out[0], err[0], progress)
        try:
            with _forwarding(confined):
                end = watched.to_its_end()
        finally:
            confined.close()
            for reading, _ in (says, out, err):
                os.close(reading)
    if end.how not in (How.OK, How.CRASH) or watched.code != end.code:
        raise DiedError(what, end)
    if watched.printed < watched.written:
        raise DiedError(what, end, "what it printed went elsewhere")
    return end.code


@contextmanager
def _forwarding(confined: ConfinedProcess) -> Iterator[None]:
    def forward(_number: int, _frame: FrameType | None) -> None:
        confined.signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, forward)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Watched:
    """A guarded command as its guard sees it: three pipes, all distrusted."""

    def __init__(
        self, confined: ConfinedProcess, says: int, out: int, err: int, progress: ProgressHandler
    ) -> None:
        self.code: int | None = None
        """What the command says that it ends with."""
        self.written = 0
        """Bytes of standard output that the command says it has written."""
        self.printed = 0
        """Bytes of it that came here."""
        self._confined, self._progress, self._silence = confined, progress, stall_seconds()
        self._says, self._begun = says, bytearray()
        self._texts = {out: codecs.getincrementaldecoder("utf-8")("replace")}
        self._texts[err] = codecs.getincrementaldecoder("utf-8")("replace")
        self._err, self._open, self._bytes = err, {says, out, err}, 0
        self._heard = time.monotonic()

    def to_its_end(self) -> End:
        """Print what it prints until it has ended; how it ended."""
        ended: int | None = None
        while ended is None or self._read(0.0):
            if ended is None:
                self._read(POLL_SECONDS)
                ended = self._confined.process.poll()
            if self._bytes > MOST:
                return End(How.OUTPUT, self._confined.close())
            if time.monotonic() > self._heard + self._silence:
                return End(How.TIMEOUT, self._confined.close())
        return End.of(ended)

    def _read(self, seconds: float) -> bool:
        """Take in what there is within so many seconds; whether there was anything."""
        if not self._open:
            time.sleep(seconds)
        ready = select.select(list(self._open), [], [], seconds)[0]
        for number in ready:
            data = os.read(number, CHUNK)
            self._bytes += len(data)
            if not data:
                self._open.discard(number)
            elif number == self._says:
                self._take(data)
            else:
                self.printed += len(data) if number != self._err else 0
                stream = sys.stderr if number == self._err else sys.stdout
                stream.write(_as_text(self._texts[number].decode(data)))
                stream.flush()
        return bool(ready)

    def _take(self, data: bytes) -> None:
        """Frames; what is none is dropped, and so is the rest of a pipe that has no lines."""
        self._begun += data
        *lines, rest = bytes(self._begun).split(b"\n")
        self._begun = bytearray(rest[:MOST_FRAME])
        for line in lines:
            with contextlib.suppress(ValueError):
                self._hear(parse_frame(line))

    def _hear(self, frame: Frame) -> None:
        self._heard = time.monotonic()
        match frame:
            case {"progress": [str(line), float(done)]}:
                self._progress(_as_text(line), done)
            case {"code": int(code), "written": int(written)}:
                self.code, self.written = code, written


def _as_text(text: str) -> str:
    """A text without what a terminal would take for an order."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text
    )


class Pulse:
    """The guarded command's side: signs of life, progress, and its code at the end."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Of this process; without a guard nobody listens."""
        says = environment.get(GUARDED, "")
        self._says = int(says) if says else None
        self._next = 0.0

    @property
    def heard(self) -> bool:
        """Whether a guard listens."""
        return self._says is not None

    def begin(self) -> None:
        """Send on all signs of life of this process."""
        if self.heard:
            listen(self.beat)

    def beat(self) -> None:
        """One more step is done."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + SIGN_SECONDS
            self._send(ALIVE)

    def progress(self, line: str, done: float) -> None:
        """So far is the work."""
        self._send({"progress": [line, float(done)]})

    def end(self, code: object, written: int = 0) -> None:
        """The command has come to its end with this code, and has written so many bytes to its
        standard output.
        """
        number = code if isinstance(code, int) else int(code is not None)
        self._send({"code": number, "written": written})

    def _send(self, frame: Frame) -> None:
        if self._says is not None:
            with contextlib.suppress(OSError):  # closed by what ran here: the guard will say so
                os.write(self._says, to_bytes(frame))
