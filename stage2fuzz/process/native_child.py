"""A child process with the library loaded, which kernel code may take down.

What the child does with an order is somebody else's program, named when it starts: it may judge,
and this package knows no oracle. Orders and answers are pickled; both ends are ours.
"""

import ctypes
import mmap
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stage2fuzz.kernel.native import Native
from stage2fuzz.places import IMPORT_ROOT

PATIENCE: Final = 600.0
"""Seconds an order may take; the library itself ends an endless loop in less than one."""


@dataclass(frozen=True, slots=True)
class Death:
    """The child died of ``signal`` (0: of something else) while ``seed`` was running."""

    signal: int
    seed: int


class Child:
    """A process that runs ``module`` with the library; a new one replaces it when it dies."""

    def __init__(self, library: Path, module: str) -> None:
        self._library, self._module = library, module
        self._process: subprocess.Popen[bytes] | None = None
        with tempfile.TemporaryFile() as file:
            file.truncate(mmap.PAGESIZE)
            self._place = os.dup(file.fileno())
        self._running = mmap.mmap(self._place, mmap.PAGESIZE)

    def ask(self, order: object) -> None:
        """Send an order; ``answer`` waits for what becomes of it."""
        process = self._alive()
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it died meanwhile: the answer will say so
            pickle.dump(order, process.stdin)
            process.stdin.flush()

    def answer(self) -> Any:
        """What the child made of its order, or its ``Death``."""
        process = self._alive()
        assert process.stdout is not None
        if not select.select([process.stdout], [], [], PATIENCE)[0]:
            process.kill()
        try:
            return pickle.load(process.stdout)
        except (EOFError, pickle.UnpicklingError):
            return self._bury(process)

    def fileno(self) -> int:
        """What ``select`` watches for an answer."""
        process = self._alive()
        assert process.stdout is not None
        return process.stdout.fileno()

    def close(self) -> None:
        """End the child, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._bury(self._process)
        self._running.close()
        os.close(self._place)

    def renew(self) -> None:
        """Let the next order have a new process, since this one's memory may be damaged."""
        if self._process is not None:
            self._process.kill()
            self._bury(self._process)

    def _alive(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            root = str(IMPORT_ROOT)
            paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, self._library, str(self._place)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=(self._place,),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            )
        return self._process

    def _bury(self, process: "subprocess.Popen[bytes]") -> Death:
        code = process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        self._process = None
        seed = int.from_bytes(self._running[:8], sys.byteorder)
        return Death(-code if code < 0 else 0, seed)


def serve(work: Callable[[Native, Any], object]) -> None:
    """The child's life: one order, one answer, until there are no more orders.

    An interrupt is the parent's business: it ends its children when it has read what they say.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    native = Native(Path(sys.argv[1]))
    running = mmap.mmap(int(sys.argv[2]), mmap.PAGESIZE)
    native.watch(ctypes.c_uint64.from_buffer(running))
    orders, answers = sys.stdin.buffer, sys.stdout.buffer
    while True:
        try:
            order = pickle.load(orders)
        except EOFError:
            return
        pickle.dump(work(native, order), answers)
        answers.flush()
