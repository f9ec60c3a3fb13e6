"""Real servers for the service's tests: a bundled Valkey, a PostgreSQL of our own, SQLite."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import fresh
from sqlalchemy import Engine

from stage2fuzz.findings.database import open_database

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


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server on a Unix socket; skipped where none is installed."""
    if not POSTGRES_BIN:
        pytest.skip("no PostgreSQL server is installed")
    folder = Path(f"/tmp/stage2fuzz-postgres-{os.getpid()}")
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    data = str(folder / "data")
    as_postgres("initdb", "-D", data, "-A", "trust", "-U", "stage2fuzz", "--no-sync")
    options = f"-c listen_addresses='' -k {folder} -c fsync=off"
    as_postgres("pg_ctl", "-D", data, "-w", "-o", options, "-l", str(folder / "log"), "start")
    try:
        yield f"postgresql+psycopg://stage2fuzz@/postgres?host={folder}"
    finally:
        as_postgres("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


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
