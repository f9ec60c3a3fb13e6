"""The answering end of the protocol: one question in, its answers out, until there are no more.

Each answer is written before the next one is worked out, so that of a batch whose process died it
is known how far it came. A line that ends the answers tells a process that did all from one that
was ended in between.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Final

from stage2fuzz.errors import InputError
from stage2fuzz.process.frames import ALIVE, Frame, parse_frame, to_bytes
from stage2fuzz.process.life import listen

SIGN_SECONDS: Final = 0.5
"""Between two signs of life that are sent."""


def serve(answers_to: Callable[[Frame], Iterable[Frame]]) -> None:
    """The process's life. An interrupt is the asker's business, who ends us when it wants to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.dup(sys.stdout.fileno())
    os.set_inheritable(out, False)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anybody prints is no answer
    listen(_Signs(out).send)
    for line in sys.stdin.buffer:
        for frame in _answered(answers_to, parse_frame(line)):
            _write(out, to_bytes(frame))


def _answered(answers_to: Callable[[Frame], Iterable[Frame]], question: Frame) -> Iterable[Frame]:
    try:
        for answer in answers_to(question):
            yield {"answer": answer}
    except InputError as error:
        yield {"refused": [error.where, error.what, error.right]}
    except (OSError, MemoryError) as error:
        yield {"starved": f"{type(error).__name__}: {error}".rstrip(": ")}
    except Exception:
        yield {"bug": traceback.format_exc()}
    else:
        yield {"done": True}


class _Signs:
    """Signs of life on the pipe of answers, not more of them than anybody needs."""

    def __init__(self, out: int) -> None:
        self._out, self._next = out, 0.0

    def send(self) -> None:
        """Send one if the last is long ago."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + SIGN_SECONDS
            _write(self._out, to_bytes(ALIVE))


def _write(out: int, data: bytes) -> None:
    while data:
        data = data[os.write(out, data) :]
