"""The asking end of a fork server: run scripts, one after the other, without starting Python."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from stage2fuzz.process.cage import hide
from stage2fuzz.process.confined import KILL_SECONDS
from stage2fuzz.process.end import End, How
from stage2fuzz.process.frames import Frame, Frames, to_bytes
from stage2fuzz.process.limits import Limits, environment
from stage2fuzz.process.wait import POLL_SECONDS, Watch, nothing, run_confined
from stage2fuzz.process.zygote import Zygote

SERVER: Final = "stage2fuzz.process.fork_server"
TRIES: Final = 2


class ForkServer:
    """Runs scripts in forks of one process that has imported ``modules``; it starts when needed.

    It belongs to one process, and ends with it.
    """

    def __init__(self, modules: Sequence[str], zygote: Zygote | None = None) -> None:
        """``modules`` must run nothing of a tree when they are imported. A ``zygote`` that has
        imported them forks the server, which costs no start of Python.
        """
        self._modules, self._zygote = tuple(modules), zygote
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._requests: IO[bytes] | None = None
        self._answers: Frames | None = None

    def run(
        self,
        script: Path,
        arguments: Sequence[str],
        folder: Path,
        limits: Limits,
        seconds: float,
        beat: Callable[[], None] = nothing,
        more: Mapping[str, str] | None = None,
    ) -> End:
        """As ``run_confined`` runs ``python SCRIPT ARGUMENT...``, by a fork where there are any."""
        if not hasattr(os, "pidfd_open"):
            program = (sys.executable, str(script), *arguments)
            return run_confined(program, folder, limits, seconds, beat, more)
        request: Frame = {
            "script": str(script),
            "arguments": list(arguments),
            "folder": str(folder),
            "environment": environment(folder, more),
            "limits": [limits.memory, limits.file, limits.cpu, limits.processes],
        }
        watch = Watch(folder, limits, seconds, beat)
        for _ in range(TRIES):
            if (end := self._run(request, watch)) is not None:
                return end
        raise OSError("the fork server ends by itself")

    def close(self) -> None:
        """End the server, and what it runs."""
        process, connection = self._process, self._connection
        self._process = self._connection = self._answers = None
        requests, self._requests = self._requests, None
        for pipe in (requests, connection, process.stdout if process else None):
            if pipe is not None:
                with contextlib.suppress(ConnectionError):
                    pipe.close()
        if process is not None:
            try:
                process.wait(KILL_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _run(self, request: Frame, watch: Watch) -> End | None:
        """One script; None where the server was gone, whoever ended it."""
        ends: list[How] = []

        def look() -> bool:
            if how := watch.look():
                ends.append(how)
            return bool(how)

        try:
            self._send(request)
            answer = self._next(look)
            if answer is None and ends:
                self._send({"end": True})
                end = time.monotonic() + KILL_SECONDS
                answer = self._next(lambda: time.monotonic() > end)
        except BaseException as error:  # whoever waits wants no answer any more
            self.close()
            if isinstance(error, ConnectionError):
                return None
            raise
        code = answer.get("code") if answer is not None else None
        if type(code) is not int:
            self.close()
            return None
        return End(ends[0], code) if ends else End.of(code)

    def _send(self, frame: Frame) -> None:
        if self._requests is None:
            self._start()
        assert self._requests is not None
        self._requests.write(to_bytes(frame))
        self._requests.flush()

    def _next(self, look: Callable[[], object]) -> Frame | None:
        assert self._answers is not None
        return self._answers.next(POLL_SECONDS, look)

    def _start(self) -> None:
        if self._zygote is not None:
            self._connection = self._zygote.connect()
            self._requests = self._connection.makefile("wb")
            self._answers = Frames(self._connection.fileno())
            return
        hide()
        plain = environment(Path(tempfile.gettempdir()))
        plain.pop("PYTHONDONTWRITEBYTECODE")  # nothing strange runs here: compile once, for all
        self._process = subprocess.Popen(
            [sys.executable, "-m", SERVER, str(os.getpid()), *self._modules],
            cwd="/",
            env=plain,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._requests = self._process.stdin
        self._answers = Frames(self._process.stdout.fileno())
