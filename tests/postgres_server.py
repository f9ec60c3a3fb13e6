"""A real PostgreSQL server for one test session, on a Unix socket in a directory of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp


def _program(name: str) -> str:
    """The path of one of PostgreSQL's programs, empty where it is not installed.

    Debian keeps them out of PATH.
    """
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or str(installed[-1] if installed else "")


def missing() -> str:
    """Why no server can be started here; empty where one can."""
    for program in ("initdb", "pg_ctl"):
        if not _program(program):
            return f"PostgreSQL's {program} is not installed"
    if os.geteuid() == 0:
        if shutil.which("runuser") is None:
            return "PostgreSQL does not run as root, and there is no runuser"
        if subprocess.run(["id", "postgres"], capture_output=True, check=False).returncode:
            return "PostgreSQL does not run as root, and there is no user postgres"
    return ""


def _run(*command: str) -> None:
    as_user = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
    done = subprocess.run(
        [*as_user, _program(command[0]), *command[1:]],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}")


@contextmanager
def postgres_server() -> Iterator[Path]:
    """Start a server; gives the directory of its socket, and removes all of it afterwards."""
    home = Path(mkdtemp(prefix="postgres-"))
    if os.geteuid() == 0:
        shutil.chown(home, "postgres")
    data = str(home / "data")
    try:
        _run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-N", "--locale=C.UTF-8")
        options = f"-c listen_addresses= -c fsync=off -k {home}"
        _run("pg_ctl", "-D", data, "-w", "-l", str(home / "log"), "-o", options, "start")
        try:
            yield home
        finally:
            _run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home)


def url_of(home: Path, database: str) -> str:
    """The URL of one database of that server."""
    return f"postgresql://postgres@/{database}?host={home}"
