"""Run what may take its process down in a process apart, which is replaced when that happens.

Whoever keeps the findings runs no compiled kernel code itself: a wild store in it may hit what the
keeper holds, and nobody would notice.
"""

import os
import pickle
import select
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

from stage2fuzz.places import IMPORT_ROOT

P = ParamSpec("P")
T = TypeVar("T")


class DiedError(Exception):
    """The process died, or had to be ended, before it answered."""


class Apart:
    """The process; it starts with the first question and serves until it is renewed or closed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def ask(
        self, patience: float, work: Callable[P, T], *arguments: P.args, **named: P.kwargs
    ) -> T:
        """What ``work`` (a function of a module) returns or raises there.

        Raises DiedError, also where there is no answer after ``patience`` seconds.
        """
        process = self._alive()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump((work, arguments, named), process.stdin)
            process.stdin.flush()
            if not select.select([process.stdout], [], [], patience)[0]:
                process.kill()
            answer, error = pickle.load(process.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            self.renew()
            raise DiedError(f"the process died of {work.__name__}") from None
        if error is not None:
            raise error
        result: T = answer
        return result

    def renew(self) -> None:
        """End the process; the next question gets a new one."""
        if self._process is None:
            return
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        self._process.wait()
        self._process = None

    def _alive(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            root = str(IMPORT_ROOT)
            paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stage2fuzz.process.apart"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            )
        return self._process


def serve() -> None:
    """The process's life: one question, one answer, until there are no more questions."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anybody prints is no answer
    while True:
        try:
            work, arguments, named = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answer: tuple[object, Exception | None]
        try:
            answer = work(*arguments, **named), None
        except Exception as error:
            error.add_note(f"in the process apart:\n{traceback.format_exc()}")
            answer = None, error
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    serve()
