"""After a crash of the engine's code a target goes on in a process that nobody has damaged.

A wild store may have hit anything before it was noticed, so the process that ran it reports what it
saw and becomes a new one, with what is left of its time and inputs, the corpus it has written, and
the knowledge of which inputs not to run again.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from hashlib import sha256
from typing import Final, NoReturn

from stage2fuzz.fuzz.harness import Harness

CONTINUED: Final = "--continued"
"""The flag that tells a process to go on for another one."""
LEAST_SECONDS: Final = 1.0
_NAME: Final = "crashed"


class Restart:
    """One target's arguments and outbox, over all its processes."""

    def __init__(self, harness: Harness, arguments: list[str], continued: bool) -> None:
        """``arguments`` are the process's own, without its script."""
        self._begun = time.monotonic()
        self._harness, self._arguments = harness, arguments
        self._file = None if harness.outbox is None else harness.outbox / _NAME
        harness.after_crash = self.go_on
        if self._file is None:
            return
        if continued:
            harness.shunned.update(self._file.read_text().split())
            harness.continue_from(self._file.parent)
        else:
            self._file.unlink(missing_ok=True)

    def go_on(self, data: bytes) -> NoReturn:
        """``data`` crashed: never come back."""
        digest = sha256(data).hexdigest()
        if self._file is None or digest in self._harness.shunned:
            os._exit(0)
        with self._file.open("a") as file:
            file.write(f"{digest}\n")
        self._harness.write_stats()
        arguments = self._left()
        if arguments is None:
            os._exit(0)
        # Timers outlive exec: libFuzzer's and the engine's would end a process without handlers.
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL):
            signal.setitimer(timer, 0)
        os.execv(sys.executable, [sys.executable, sys.argv[0], *arguments])

    def _left(self) -> list[str] | None:
        """The arguments for what is left to do; None where nothing is."""
        spent = {
            "-max_total_time": time.monotonic() - self._begun,
            "-runs": self._harness.inputs,
            "-seed": -1,
        }
        left = [] if CONTINUED in self._arguments else [CONTINUED]
        for argument in self._arguments:
            name, _, value = argument.partition("=")
            with suppress(ValueError):
                if name in spent and int(value) > 0:
                    number = int(value) - spent[name]
                    if number < LEAST_SECONDS:
                        return None
                    argument = f"{name}={round(number)}"
            left.append(argument)
        return left
