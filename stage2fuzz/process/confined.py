"""Confined: a program that can't outlive us, grow without bound, or learn what it need not know."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from stage2fuzz.places import PACKAGE
from stage2fuzz.process.cage import hide
from stage2fuzz.process.limits import Limits, environment

CONFINE: Final = (sys.executable, "-I", "-S", str(PACKAGE / "process" / "confine.py"))
KILL_SECONDS: Final = 5.0
"""Until the program that confines has killed all; it waits for nothing but the kernel."""


class ConfinedProcess:
    """A program started by ``confine``; whoever made it closes it, whatever happens."""

    def __init__(
        self,
        program: Sequence[str],
        folder: Path,
        limits: Limits,
        more: Mapping[str, str] | None = None,
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: IO[bytes] | int = subprocess.DEVNULL,
        stderr: IO[bytes] | int = subprocess.STDOUT,
        inherited: Sequence[int] = (),
        cwd: Path | None = None,
    ) -> None:
        """``folder`` is its home; it starts there unless ``cwd`` is given. ``more`` joins its
        environment, ``inherited`` are file descriptors that it gets.
        """
        hide()
        numbers = (limits.processes, os.getpid(), limits.memory, limits.file, limits.cpu)
        self.process = subprocess.Popen(
            [*CONFINE, "--cage", *map(str, numbers), *program],
            cwd=cwd or folder,
            env=environment(folder, more),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=tuple(inherited),
            start_new_session=True,
        )
        if limits.niceness:
            with contextlib.suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, self.process.pid, limits.niceness)

    def signal(self, number: int) -> None:
        """Send the program SIGUSR1 or SIGINT."""
        self.process.send_signal(number)

    def close(self) -> int:
        """End the program with all that it started, if it has not ended; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(KILL_SECONDS)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        return code


def tied(program: Sequence[str]) -> list[str]:
    """The command line of a program of our own that ends when this process does, however that
    ends. It is not confined: the parts of a service need sockets and processes of their own.
    """
    return [*CONFINE, str(os.getpid()), "0", "0", "0", *program]
