"""Run a program that ends when its starter does, however that ends. Run by path.

The parts of a local service are our own programs, which need sockets and processes of their own, so
they are not confined as a fuzzing process is; but they must not outlive the command that started
them, even if that is killed with -9. The kernel sees to it (PR_SET_PDEATHSIG), where it is Linux.

Usage: tied.py STARTER PROGRAM ARGUMENT...
"""

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def main(starter: int, command: list[str]) -> None:
    """Become the program; give up where the starter is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != starter:
        sys.exit("tied: the starter is gone")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
