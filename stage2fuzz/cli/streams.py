"""Standard streams and environment as a program finds them: closed, full, a pipe that was left."""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, Final, NoReturn, TextIO, cast

from stage2fuzz.errors import InputError

PLACE_ERRORS: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS))
"""What a place says that takes no more: nobody's bug, and no traceback helps."""
SIZES: Final = ("COLUMNS", "LINES")


class ReaderLeftError(Exception):
    """Whoever read standard output over a pipe wants no more of it.

    Unlike Python's own exception no library takes it for its own business.
    """


class Output:
    """Standard output that tells a pipe that was left from a disk that is full.

    Once it has failed it goes on failing: a library that tries a stream out, as Click does with an
    empty text, may keep the first error to itself.
    """

    written: ClassVar[int] = 0
    """Bytes that this process has written to its standard output."""

    def __init__(self, stream: TextIO) -> None:
        """Everything but writing is ``stream``'s."""
        self._stream = stream
        self._end: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        """What any user of the stream asks for."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write; ReaderLeftError or InputError where that has no place."""
        self._check()
        Output.written += len(text.encode(errors="backslashreplace"))
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lost(error)

    def flush(self) -> None:
        """Flush; ReaderLeftError or InputError where that has no place."""
        self._check()
        try:
            self._stream.flush()
        except OSError as error:
            self._lost(error)

    def _check(self) -> None:
        if self._end is not None:
            raise self._end

    def _lost(self, error: OSError) -> NoReturn:
        with suppress(OSError, ValueError):  # or the interpreter tries again at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        if error.errno == errno.EPIPE:
            self._end = ReaderLeftError()
        else:
            self._end = InputError("standard output", error.strerror or "cannot be written")
        raise self._end from None


@contextmanager
def tidy_streams() -> Iterator[None]:
    """Make streams and sizes usable for every library; InputError where output goes nowhere.

    Python has None for a stream that its caller closed; a size that is no number (``²`` is a digit
    to ``str.isdigit``) ends the libraries that draw tables.
    """
    for name in SIZES:
        value = os.environ.get(name, "1")
        if not (value.isascii() and value.isdigit() and 0 < int(value[:9]) < 10_000):
            del os.environ[name]
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115  (for the life of the process)
    before = sys.stdout
    if before is None:
        raise InputError("standard output", "is closed", "a file, a pipe or /dev/null")
    for stream in (before, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a name from a file may not fit the terminal's encoding
            reconfigure(errors="backslashreplace")
    sys.stdout = cast(TextIO, Output(before))
    try:
        yield
        sys.stdout.flush()
    finally:
        sys.stdout = before


def end_as_the_reader_left() -> NoReturn:
    """End as every Unix tool does whose output nobody reads."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)
    raise SystemExit(128 + signal.SIGPIPE)


def complain(line: str) -> None:
    """A line on standard error, if that takes one."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)
