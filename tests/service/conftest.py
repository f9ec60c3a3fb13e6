"""Real servers for the service's tests: a bundled Valkey, a PostgreSQL of our own, SQLite."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from stage2fuzz.findings.database import open_database
from tests.service.rig import fresh

POSTGRES_BIN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def as_postgres(*command: str) -> None:
    """Run a command as a user that PostgreSQL accepts: it refuses to run as root."""
    user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    subprocess.run(
        [str(POSTGRES_BIN[-1] / command[0]), *command[1:]],
        check=True,
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **user,  # type: ignore[call-overload]
    )


class PostgresServer:
    """A PostgreSQL of our own on a Unix socket, which can be stopped and started."""

    def __init__(self) -> None:
        """Nothing runs before ``with``."""
        self.folder = Path(tempfile.mkdtemp(prefix="stage2fuzz-postgres-", dir="/tmp"))
        self.url = f"postgresql+psycopg://stage2fuzz@/postgres?host={self.folder}"

    def __enter__(self) -> "PostgresServer":
        """Initialise and start."""
        self.folder.chmod(0o777)
        data = str(self.folder / "data")
        as_postgres("initdb", "-D", data, "-A", "trust", "-U", "stage2fuzz", "--no-sync")
        self.start()
        return self

    def __exit__(self, *_trouble: object) -> None:
        """Stop and forget."""
        self.stop()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = f"-c listen_addresses='' -k {self.folder} -c fsync=off"
        self._control("-w", "-o", options, "-l", str(self.folder / "log"), "start")

    def stop(self) -> None:
        """Stop at once, as a power cut would."""
        self._control("-m", "immediate", "stop")

    def _control(self, *words: str) -> None:
        as_postgres("pg_ctl", "-D", str(self.folder / "data"), *words)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server; skipped where none is installed."""
    if not POSTGRES_BIN:
        pytest.skip("no PostgreSQL server is installed")
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres(postgres_server: PostgresServer) -> str:
    """The URL of the server."""
    return postgres_server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of each kind, migrated."""
    if request.param == "sqlite":
        engine = open_database(f"sqlite:///{tmp_path}/campaign.db")
    else:
        url = request.getfixturevalue("postgres")
        fresh(url)
        engine = open_database(url)
    yield engine
    engine.dispose()
