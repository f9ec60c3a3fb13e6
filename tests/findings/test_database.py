"""Opening, creating, migrating and refusing databases."""

import multiprocessing
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from stage2fuzz.errors import InputError
from stage2fuzz.findings import campaigns
from stage2fuzz.findings.database import (
    SCHEMA,
    VERSION_TABLE,
    migrate,
    open_database,
    schema_version,
)
from stage2fuzz.findings.models import Base
from stage2fuzz.findings.store import Store


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def test_the_migrations_make_the_tables_that_the_models_describe(url: str) -> None:
    engine = open_database(url)
    with engine.connect() as connection:
        options = {
            "version_table": VERSION_TABLE,
            "include_object": lambda thing, name, kind, reflected, other: (
                kind != "table" or name in Base.metadata.tables
            ),
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_a_current_schema_is_the_newest_migration_s(url: str) -> None:
    engine = open_database(url)
    with engine.connect() as connection:
        assert schema_version(connection) == SCHEMA
    engine.dispose()


def test_a_current_database_is_opened_without_alembic(tmp_path: Path) -> None:
    open_database(str(tmp_path / "findings.db")).dispose()
    text = (
        "import sys; from stage2fuzz.findings.store import Store; "
        "Store.open(sys.argv[1]).close(); sys.exit('alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", text, str(tmp_path / "findings.db")]
    assert subprocess.run(command, check=False).returncode == 0


def test_migrations_go_down_and_up_again(url: str) -> None:
    engine = open_database(url)
    with engine.connect() as connection:
        version = schema_version(connection)
    migrate(engine, "base")
    assert inspect(engine).get_table_names() == [VERSION_TABLE]
    migrate(engine)
    with engine.connect() as connection:
        assert schema_version(connection) == version
    engine.dispose()


def test_findings_of_an_older_schema_are_kept_and_belong_to_no_build(url: str) -> None:
    engine = open_database(url)
    migrate(engine, "base")
    migrate(engine, "0002")
    row = dict.fromkeys(("engine", "signature", "oracle", "rule", "category"), "x")
    row |= dict.fromkeys(("verdict", "case_text", "events", "minimised", "label"), "")
    row |= {"state": "new", "owner": "", "first_seen_in": "", "fixed_in": ""}
    numbers = ("count", "first_seen", "last_seen", "attempts", "confirmations", "reopened")
    names = [*row, *numbers]
    with engine.begin() as connection:
        places = ", ".join(f":{name}" for name in names)
        insert = text(f"INSERT INTO finding ({', '.join(names)}) VALUES ({places})")
        connection.execute(insert, row | dict.fromkeys(numbers, 1))
    engine.dispose()
    store = Store.open(url)
    assert [(each.engine, each.build) for each in store.list()] == [("x", "")]
    store.close()


def test_opening_again_finds_what_was_there(url: str) -> None:
    for _ in range(2):
        store = Store.open(url)
        assert store.list() == []
        store.close()


def test_a_bare_path_is_a_sqlite_file_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "findings.db"
    engine = open_database(str(path))
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    engine.dispose()
    assert path.exists()


def test_a_foreign_sqlite_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    execute(path, "CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"theirs.db: belongs to another program; a new file"):
        open_database(str(path))
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["theirs.db"]


def test_a_foreign_postgresql_database_is_refused(postgres_url: str) -> None:
    engine = open_database(postgres_url)
    migrate(engine, "base")
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))
        connection.execute(text("CREATE TABLE bookmarks (url TEXT)"))
    engine.dispose()
    with pytest.raises(InputError, match="belongs to another program"):
        open_database(postgres_url)


def test_a_newer_database_is_refused_and_left_alone(url: str) -> None:
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(InputError, match=r"newer stage2fuzz \(schema 9999\); upgrade stage2fuzz"):
        open_database(url)
    with engine.connect() as connection:
        assert schema_version(connection) == "9999"
    engine.dispose()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, but a text that is long enough\n" * 50)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"notes\.txt: not a SQLite database"):
        open_database(str(path))
    assert path.read_bytes() == before


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "findings.db"
    open_database(str(path)).dispose()
    path.write_bytes(path.read_bytes()[:40] + b"\xff" * 4000)
    with pytest.raises(InputError, match="damaged"):
        open_database(str(path))


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "findings.db"
    path.touch()
    store = Store.open(str(path))
    assert store.list() == []
    store.close()


def test_paths_that_cannot_be_a_database_are_refused(tmp_path: Path) -> None:
    for url, message in [
        (str(tmp_path), "is a directory"),
        (str(tmp_path / "none" / "findings.db"), "there is no directory"),
        ("sqlite://", "a database in memory is lost"),
        ("mysql://somewhere/findings", "database mysql://...: not supported"),
        ("nothing://somewhere", "not a database URL"),
        ("://", "not a database URL"),
    ]:
        with pytest.raises(InputError, match=message):
            open_database(url)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"):
        open_database(str(tmp_path / "findings.db"))


def as_nobody(work: Callable[[], None]) -> int:
    """Run ``work`` in a process that may not write everything; its exit code."""
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            if os.geteuid() == 0:
                os.setresuid(65534, 65534, 65534)
            work()
            os._exit(0)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_sound_database_in_a_folder_that_cannot_be_written_is_not_called_damaged() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "findings.db"
        open_database(str(path)).dispose()
        path.chmod(0o666)
        folder.chmod(0o555)

        def refused() -> None:
            with pytest.raises(InputError, match=r"the directory .* cannot be written"):
                open_database(str(path))

        assert as_nobody(refused) == 0


def test_a_new_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "findings.db"
    engine = open_database(str(path))
    with engine.begin() as connection:
        connection.execute(text("UPDATE finding SET count = 0"))
    modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    engine.dispose()
    assert set(modes.values()) == {0o600}, modes


def test_a_database_that_is_only_read_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "mistyped.db"
    with pytest.raises(InputError, match="there is no such database"):
        open_database(str(path), create=False)
    assert list(tmp_path.iterdir()) == []
    open_database(str(path)).dispose()
    open_database(str(path), create=False).dispose()


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("/dev/null", str(tmp_path / "pipe")):
        with pytest.raises(InputError, match="is no file"):
            open_database(name)


def test_a_full_disk_is_one_clear_line_and_leaves_no_file(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system may be mounted here")
    try:
        (place / "ballast").write_bytes(bytes(60 << 10))
        with pytest.raises(InputError, match="cannot be opened") as caught:
            open_database(str(place / "findings.db"))
        assert "\n" not in str(caught.value)
        left = {each.name for each in place.iterdir() if each.stat().st_size == 0}
        assert "findings.db" not in left
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _open_at(url: str, start: Any, failed: Any) -> None:
    start.wait()
    try:
        open_database(url).dispose()
    except InputError as error:
        failed.put(str(error))


def test_many_processes_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for turn in range(10):
        start, failed = context.Barrier(6), context.Queue()
        url = f"sqlite:///{tmp_path}/{turn}.db"
        processes = [context.Process(target=_open_at, args=(url, start, failed)) for _ in range(6)]
        for each in processes:
            each.start()
        for each in processes:
            each.join(60)
            assert each.exitcode == 0
        assert failed.empty(), failed.get()


def test_campaigns_of_an_older_schema_belong_to_the_shared_service(url: str) -> None:
    engine = open_database(url)
    migrate(engine, "base")
    migrate(engine, "0003")
    values = dict.fromkeys(("created", "ticked", "elapsed", "planned", "schedules"), 1)
    values |= dict.fromkeys(("fuzz_seconds", "findings", "failures"), 1)
    spec = '{"engines": ["model:v5.10"], "findings": 0, "is": "campaign", "name": "1", '
    spec += '"order_seconds": 60, "parallel": 0, "regress": [], "schedules": 0, "seconds": 0, '
    spec += '"seed": 1, "strategy": "mutate", "targets": ["map_race"]}'
    row = {"name": "1", "spec": spec, "state": "running", "note": "", **values}
    with engine.begin() as connection:
        places = ", ".join(f":{name}" for name in row)
        connection.execute(text(f"INSERT INTO campaign ({', '.join(row)}) VALUES ({places})"), row)
    engine.dispose()
    engine = open_database(url)
    [each] = campaigns.every(engine)
    assert (each.name, each.service, each.state) == ("1", "", "running")
    assert each.spec.targets == ("map_race",)
    engine.dispose()


def test_a_server_that_is_not_there_is_one_clear_line_without_the_password() -> None:
    with pytest.raises(InputError) as caught:
        open_database("postgresql://fuzz:secret@127.0.0.1:1/findings")
    assert "secret" not in str(caught.value)
    assert "cannot be opened" in str(caught.value)
    assert "\n" not in str(caught.value)
