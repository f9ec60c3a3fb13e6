"""A process that has imported what scripts need, and forks one that runs a script, confined.

To start Python and import the engine costs half a second of CPU time, as much as some hundred
schedules; a fork costs a hundredth of it. Nothing of a tree is loaded here, and nothing secret is:
the environment is the one of a confined process, and each script runs in a process of its own, with
a keeper of its own and the same cage as one that was started (``confine``). What forks share is the
layout of their memory.

Run as a module: ``python -m stage2fuzz.process.fork_server ASKER MODULE...``. On its standard input
come requests, a JSON object on a line, one at a time:

- ``{"script": PATH, "arguments": [...], "folder": PATH, "environment": {...}, "limits": [MEMORY,
  FILE, CPU, PROCESSES]}`` runs a script in its folder, its output in the file ``log`` there; the
  answer is ``{"code": CODE}``, as ``confine`` ends;
- ``{"end": true}`` ends it early.

At the end of the input the server ends, with what it runs; so it does when its asker is gone.
"""

import gc
import importlib
import os
import runpy
import select
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from stage2fuzz.process import confine
from stage2fuzz.process.cage import PR_SET_PDEATHSIG, prctl
from stage2fuzz.process.frames import Frames, parse_frame, to_bytes

FOREVER: Final = 3600.0


def main(asker: int, modules: list[str]) -> None:
    """Import the modules that are here, then do what is asked until nobody asks."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != asker:
        sys.exit("fork_server: the asker is gone")
    import_all(modules)
    serve()


def import_all(modules: list[str]) -> None:
    """Import the modules that are here, for forks that share them."""
    for name in modules:
        with suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def serve() -> None:
    """Do what is asked on standard input until nobody asks."""
    requests = Frames(0)
    while (request := requests.next(FOREVER, lambda: None)) is not None:
        if "script" in request:
            code = run(request)
            os.write(1, to_bytes({"code": code}))


def run(request: dict[str, Any]) -> int:
    """Run a script to its end, or until we are told to end it; its code, a signal's negative."""
    me = os.getpid()
    keeper = os.fork()
    if not keeper:
        os.setsid()
        confine.keep(me, lambda watched, parent: become(request, watched, parent))
    place = os.pidfd_open(keeper)
    try:
        while place not in (ready := select.select([place, 0], [], [])[0]):
            line = os.read(0, 1 << 16) if ready else b""
            if not line or parse_frame(line).get("end"):
                os.kill(keeper, signal.SIGTERM)
                select.select([place], [], [])
                break
    finally:
        os.close(place)
    return os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1])


def become(request: dict[str, Any], watched: set[signal.Signals], parent: int) -> NoReturn:
    """Be the script: confined as a started program is, then run in this interpreter."""
    folder = Path(request["folder"])
    silent = os.open(os.devnull, os.O_RDWR)
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for number, source in enumerate((silent, log, log)):
        os.dup2(source, number)
    os.closerange(3, confine.OPEN_FILES)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(folder)
    sys.dont_write_bytecode = True
    sys.argv = [request["script"], *request["arguments"]]
    confine.enclose(request["limits"], watched, parent)
    code: object = 1
    try:
        runpy.run_path(request["script"], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
