"""Every test of the findings runs on SQLite and, where there is one, on a real PostgreSQL."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from stage2fuzz.findings.store import Store
from tests.postgres_server import missing, postgres_server, url_of

_names = count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """The directory of a running server's socket."""
    if why := missing():
        pytest.skip(why)
    with postgres_server() as home:
        yield home


@pytest.fixture
def postgres_url(postgres: Path) -> str:
    """A new, empty PostgreSQL database."""
    name = f"findings{next(_names)}"
    with psycopg.connect(host=str(postgres), user="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return url_of(postgres, name)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'findings.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store of each kind."""
    store = Store.open(url)
    yield store
    store.close()
