"""What docs/operations.md says of back-ups, done as it stands there on real databases."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from stage2fuzz.case.text import read_case
from stage2fuzz.findings.store import Store
from stage2fuzz.run import run
from tests.docs.documents import ROOT, commands
from tests.postgres_server import missing, postgres_server, url_of

OPERATIONS = ROOT / "docs" / "operations.md"
SHOWN = [each.text for each in commands(OPERATIONS)]
RACE = ROOT / "corpus" / "map_race" / "situation-1-late-loser.case"


def fill(url: str) -> list[str]:
    """Findings of a real race; their signatures."""
    outcome = run(read_case(RACE))
    with Store.open(url) as store:
        for violation in outcome.violations:
            store.record(outcome.case, violation, "")
        return [each.signature for each in store.list()]


def signatures(url: str) -> list[str]:
    with Store.open(url, create=False) as store:
        return [each.signature for each in store.list()]


def test_a_sqlite_database_is_backed_up_while_it_is_written_to(tmp_path: Path) -> None:
    kept = fill(f"sqlite:///{tmp_path}/stage2fuzz.db")
    (back_up,) = [each for each in SHOWN if each.startswith("python3 -c")]
    (restore,) = [each for each in SHOWN if each.startswith("cp backup.db")]
    with Store.open(f"sqlite:///{tmp_path}/stage2fuzz.db") as busy:
        busy.count()
        subprocess.run(back_up, shell=True, cwd=tmp_path, check=True)
        busy.triage(1, note="after the backup")
    subprocess.run(restore, shell=True, cwd=tmp_path, check=True)
    assert kept and signatures(f"sqlite:///{tmp_path}/restored.db") == kept
    with Store.open(f"sqlite:///{tmp_path}/restored.db", create=False) as restored:
        assert all("after" not in note.text for note in restored.get(1).notes)


@pytest.fixture
def server() -> Iterator[Path]:
    if why := missing():
        pytest.skip(why)
    with postgres_server() as home:
        with psycopg.connect(host=str(home), user="postgres", autocommit=True) as connection:
            connection.execute("CREATE ROLE stage2fuzz SUPERUSER LOGIN")
            connection.execute("CREATE DATABASE stage2fuzz OWNER stage2fuzz")
        yield home


@pytest.mark.parametrize("place", ["docker compose exec -T postgres ", "statefulset/postgres -- "])
def test_a_postgresql_database_comes_back_as_it_was(
    server: Path, tmp_path: Path, place: str
) -> None:
    def inside(program: str) -> str:
        (found,) = [each for each in SHOWN if place in each and f"{program} " in each]
        return re.sub(r"\s+", " ", found.split(place)[1])

    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    path = os.pathsep.join([*map(str, reversed(programs)), os.environ["PATH"]])
    if shutil.which("pg_dump", path=path) is None:
        pytest.skip("PostgreSQL's pg_dump is not installed")

    def do(command: str) -> None:
        around = {**os.environ, "PATH": path, "PGHOST": str(server)}
        subprocess.run(command, shell=True, cwd=tmp_path, env=around, check=True)

    url = url_of(server, "stage2fuzz")
    kept = fill(url)
    do(inside("pg_dump"))
    with Store.open(url) as store:
        store.triage(1, note="after the backup")
    with psycopg.connect(host=str(server), user="postgres", dbname="stage2fuzz") as connection:
        connection.execute("DROP TABLE finding CASCADE")
    do(inside("pg_restore"))
    assert kept and signatures(url) == kept
    with Store.open(url, create=False) as store:
        assert all("after" not in note.text for note in store.get(1).notes)
