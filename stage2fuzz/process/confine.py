"""Confine a program: limits that it can't lift, and an end for all it started. Run by path.

This small program stands between whoever asked and the program. It lives as long as the program,
takes in each process that the program leaves behind (PR_SET_CHILD_SUBREAPER), and kills all of them
when the program ends, when it is told to end (SIGTERM), or when its asker is gone, even by
``kill -9`` (PR_SET_PDEATHSIG). It then ends the way the program ended. Doing it here rather than
between fork and exec of the asker means that no code of the asker runs in a half-copied process.

What the program may not do is in ``cage.py`` beside this file. Programs of our own (a broker, a
worker) get no cage and no keeper: without ``--cage`` this one sets the limits, ties the program to
its asker's life, and becomes it.

Usage: confine.py [--cage PROCESSES] ASKER MEMORY FILE CPU PROGRAM ARGUMENT...
  PROCESSES  and threads of a caged program and its descendants
  ASKER      process id that must still be our parent
  MEMORY     bytes of address space, FILE bytes of the largest file, CPU seconds of one process
             (0 is no limit, here and above)
"""

import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

if __package__:
    from stage2fuzz.process import cage
else:  # alone, -I -S: the package is not imported
    sys.path.insert(0, str(Path(__file__).parent))
    import cage  # type: ignore[import-not-found, no-redef]

FORWARDED: Final = (signal.SIGUSR1, signal.SIGINT)
"""What the asker may send the program through us."""
ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
ARGUMENTS: Final = 4
"""Numbers before the program."""
CAGE: Final = "--cage"
OPEN_FILES: Final = 1024
LIMITED: Final = (resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU)
"""What MEMORY, FILE and CPU limit."""


def main(arguments: list[str]) -> NoReturn:
    """Run the program confined, and end as it does."""
    processes = None
    if arguments[0] == CAGE:
        processes, arguments = int(arguments[1]), arguments[2:]
    asker, *numbers = map(int, arguments[:ARGUMENTS])
    if processes is None:
        tie(arguments[ARGUMENTS:], numbers, asker)
    limits = [*numbers, processes]

    def be(watched: set[signal.Signals], parent: int) -> NoReturn:
        enclose(limits, watched, parent)
        os.execv(arguments[ARGUMENTS], arguments[ARGUMENTS:])

    keep(asker, be)


def keep(asker: int, be: Callable[[set[signal.Signals], int], NoReturn]) -> NoReturn:
    """Fork a process that is to ``be`` the program, look after it, and end as it does.

    ``be`` gets the signals that are blocked and the number of this process, for ``enclose``.
    """
    watched = {*FORWARDED, *ENDING, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    cage.prctl(cage.PR_SET_PDEATHSIG, signal.SIGTERM)
    cage.prctl(cage.PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != asker:
        sys.exit("confine: the asker is gone")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    me = os.getpid()
    program = os.fork()
    if not program:
        be(watched, me)
    close_all()
    code = wait(program, watched)
    end_all(program)
    end_like(code)


def tie(command: list[str], numbers: list[int], asker: int) -> NoReturn:
    """Be a program of our own that ends with its asker."""
    cage.prctl(cage.PR_SET_PDEATHSIG, signal.SIGKILL)
    cage.prctl(cage.PR_SET_NO_NEW_PRIVS, 1)
    if os.getppid() != asker:
        sys.exit("confine: the asker is gone")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, value in zip(LIMITED, numbers, strict=True):
        limit(kind, value)
    os.execv(command[0], command)


def enclose(limits: Sequence[int], watched: set[signal.Signals], parent: int) -> None:
    """Be in a group of its own, within ``limits`` (memory, file, CPU, processes), in the cage."""
    os.setpgid(0, 0)
    cage.prctl(cage.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(70)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, watched)
    memory, file, cpu, processes = limits
    for kind, value in zip(LIMITED, (memory, file, cpu), strict=True):
        limit(kind, value)
    limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    if processes:
        limit(resource.RLIMIT_NPROC, threads_now() + processes)
    cage.close_cage()


def limit(kind: int, value: int) -> None:
    """Set one limit, no higher than the one that is there; 0 is none."""
    hard = resource.getrlimit(kind)[1]
    if value:
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def threads_now() -> int:
    """Threads on this machine: the limit of processes counts all that a user has anywhere."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])
    return 1 << 15


def wait(program: int, watched: set[signal.Signals]) -> int:
    """Wait for the program's end, or for the order to end it; its code, a signal's negative."""
    while True:
        number = signal.sigwait(watched)
        if number in ENDING:
            return -signal.SIGKILL
        if number in FORWARDED:
            with suppress(ProcessLookupError):
                os.killpg(program, number)
        while True:
            ended, status = os.waitpid(-1, os.WNOHANG)
            if ended == program:
                return os.waitstatus_to_exitcode(status)
            if not ended:
                break


def end_all(program: int) -> None:
    """Kill the program's group, and whoever left it, until there is nobody left to wait for."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(program, signal.SIGKILL)
    while True:
        for child in children():
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def children() -> list[int]:
    """Our own children: with a subreaper, every orphan of what we started is one."""
    try:
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    except OSError:
        return []
    return [int(number) for number in listed.split()]


def close_all() -> None:
    """Close what is the program's: an asker that reads a pipe to its end must not wait for us."""
    for stream in (0, 1):
        os.close(stream)
    os.closerange(3, OPEN_FILES)


def end_like(code: int) -> NoReturn:
    """End with the program's exit code, or of its signal."""
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 70)


if __name__ == "__main__":
    main(sys.argv[1:])
