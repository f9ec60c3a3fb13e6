"""Start a program that can't outlive its parent nor eat the machine. Run by path, not imported.

A worker's fuzzing process must die with the worker, even by ``kill -9``: a time limit of Celery
kills the pool's process only, and the grandchild would go on in a folder that has been given to
somebody else. Both the parent-death signal and the limits survive ``exec``, so this small program
sets them and then becomes the real one. Doing it here rather than between fork and exec of the
worker means that no Python code runs in a half-copied process.

Usage: confine.py PARENT MEMORY FILE CPU PROGRAM ARGUMENT...
  PARENT  process id that must still be our parent
  MEMORY  bytes of address space, FILE bytes of the largest file, CPU seconds; 0 is no limit
"""

import ctypes
import os
import resource
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_NO_NEW_PRIVS: Final = 38


def main(arguments: list[str]) -> None:
    """Confine this process, then become the program."""
    parent, memory, file, cpu = map(int, arguments[:4])
    program = arguments[4:]
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("confine: the parent is gone")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limits = (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, file),
        (resource.RLIMIT_CPU, cpu),
    )
    for which, limit in limits:
        if limit:
            resource.setrlimit(which, (limit, limit))
    os.execv(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
