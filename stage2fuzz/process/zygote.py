"""Where fork servers come from: a process that has imported what scripts need, and forks a server.

A worker has a process for each slot, and each of those its fork server. To import costs seconds on
a busy machine; a process of a slot that is killed, or that is replaced after its two hundredth
order, has its new server at once if another process has imported already.

Run as a module: ``python -m stage2fuzz.process.zygote OWNER SOCKET MODULE...``. Through SOCKET,
which is inherited, come connections, each the standard input and output of a server to be forked,
which ends with its connection. The zygote ends with its owner, and all servers with it.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from stage2fuzz.process.cage import PR_SET_PDEATHSIG, hide, prctl
from stage2fuzz.process.fork_server import import_all, serve
from stage2fuzz.process.limits import environment

MODULE: Final = "stage2fuzz.process.zygote"


class Zygote:
    """The owner's end; every process that is forked from the owner may ask for a server."""

    def __init__(self, modules: Sequence[str]) -> None:
        """``modules`` must run nothing of a tree when they are imported."""
        self._modules = tuple(modules)
        self._owner = os.getpid()
        # A message that is under way when the zygote is killed waits here for the next one.
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process: subprocess.Popen[bytes] | None = None

    def keep(self) -> None:
        """Start the process, or start it again where it was killed; the owner alone does this."""
        if os.getpid() != self._owner or (self._process and self._process.poll() is None):
            return
        hide()
        plain = environment(Path(tempfile.gettempdir()))
        plain.pop("PYTHONDONTWRITEBYTECODE")  # nothing strange runs here: compile once, for all
        number = self._theirs.fileno()
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE, str(self._owner), str(number), *self._modules],
            cwd="/",
            env=plain,
            pass_fds=(number,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def connect(self) -> socket.socket:
        """A connection to a server of our own; it ends when the connection is closed."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._ours, [b"serve"], [theirs.fileno()])
        return ours

    def close(self) -> None:
        """End the process, with all its servers."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._ours.close()
        self._theirs.close()


def main(owner: int, number: int, modules: list[str]) -> None:
    """Import, then fork a server for each connection until the owner is gone."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != owner:
        sys.exit("zygote: the owner is gone")
    import_all(modules)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a server ended
    with socket.socket(fileno=number) as source:
        while True:
            message, connections, _flags, _address = socket.recv_fds(source, 16, 1)
            if not message:
                return
            for connection in connections:
                fork(connection, source)


def fork(connection: int, source: socket.socket) -> None:
    """Have a process that serves at ``connection``."""
    me = os.getpid()
    if not os.fork():
        with suppress(BaseException):
            source.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == me:
                os.dup2(connection, 0)
                os.dup2(connection, 1)
                os.close(connection)
                serve()
        os._exit(0)
    os.close(connection)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
