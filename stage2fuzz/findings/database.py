"""The database behind the findings: opened, created, migrated, or refused in one clear line.

A database is refused before anything is written to it: somebody else's tables, a schema newer than
this program, a file that is no database, a place that cannot be written. Creating and migrating is
one transaction, and two processes that open a new database at once take turns.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import DeclarativeBase

from stage2fuzz.errors import InputError
from stage2fuzz.findings.sqlite_file import BUSY_SECONDS, forget_empty, make_file, write_ahead

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.dialects import postgresql, sqlite

SCHEMA: Final = "0011"
"""The newest migration's revision. A database that has it is opened without Alembic, whose import
takes longer than all else that opening does."""
VERSION_TABLE: Final = "stage2fuzz_version"
"""A name of our own, so that another program's Alembic database is never taken for ours."""
READS: Final = "stage2fuzz_reads"
"""Execution option of a connection that only reads: on SQLite it never waits for a writer."""
MIGRATION_LOCK: Final = 0x53325A
"""Key of PostgreSQL's advisory lock around a migration."""


def open_database(url: str, create: bool = True) -> Engine:
    """An engine whose schema is ours and current; ``url`` may also be the path of a SQLite file.

    With ``create`` off a SQLite file that is not there is refused and not made. Raises InputError.
    """
    parsed = _parse(url)
    where = parsed.render_as_string(hide_password=True)
    made = None
    if parsed.get_backend_name() == "sqlite":
        made = make_file(parsed, where, create)
    try:
        engine = _engine(parsed)
    except ImportError as error:  # a driver is imported when it is used first
        right = "pip install 'stage2fuzz[service]' brings PostgreSQL's"
        raise InputError(where, f"its driver {error.name} is not installed", right) from None
    try:
        with reading(engine) as connection:
            version = _checked_version(connection, where)
        if version != SCHEMA:
            migrate(engine)
    except (DBAPIError, sqlite3.Error, InputError) as error:
        engine.dispose()
        if made is not None:
            forget_empty(made)
        if isinstance(error, InputError):
            raise
        raise InputError(where, f"cannot be opened ({reason(error)})") from None
    return engine


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to ``revision`` (``head``: the newest, ``base``: nothing at all)."""
    from alembic import command  # noqa: PLC0415  (slow to import, see SCHEMA)

    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as raw:  # outside any transaction
            write_ahead(raw.cursor())
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        config = _alembic()
        config.attributes["connection"] = connection
        (command.downgrade if revision == "base" else command.upgrade)(config, revision)


def reading(engine: Engine) -> Connection:
    """A connection that only reads, and so never waits for a writer."""
    return engine.connect().execution_options(**{READS: True})


def insert_or_not(
    connection: Connection, table: Table | type[DeclarativeBase]
) -> "postgresql.Insert | sqlite.Insert":
    """An insert that knows ON CONFLICT, which each database spells for itself."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415  (slow to import, rarely used)

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415  (only the database's own dialect)

    return sqlite.insert(table)


def schema_version(connection: Connection) -> str:
    """The revision of the schema; empty where there is none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return ""
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar() or ""


@contextmanager
def answering(engine: Engine) -> Iterator[None]:
    """What the database cannot do is an InputError that names it, without its password."""
    try:
        yield
    except DBAPIError as error:
        where = engine.url.render_as_string(hide_password=True)
        raise InputError(where, f"the database failed ({reason(error)})") from None


def reason(error: BaseException) -> str:
    """What a database error says, in one line."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return lines[0][:300]


def _alembic() -> "Config":
    from alembic.config import Config  # noqa: PLC0415  (slow to import, see SCHEMA)

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _parse(url: str) -> URL:
    """The URL, with the driver we ship for PostgreSQL; a bare path is a SQLite file."""
    if "://" not in url:
        return URL.create("sqlite", database=url)
    try:
        parsed = make_url(url)
        parsed.get_backend_name()
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError, ImportError):
        shown = url.partition("://")[0][:40]
        raise InputError(
            f"database {shown}://...", "not a database URL", "sqlite:///FILE or postgresql://..."
        ) from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        name = parsed.get_backend_name()
        raise InputError(f"database {name}://...", "not supported", "sqlite or postgresql")
    return parsed


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _record: object) -> None:
        # Transactions begin where SQLAlchemy says so, and not where the driver guesses.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def _began(connection: Connection) -> None:
        # A writer takes its lock at once: one that has read first could not wait for another.
        reads: Any = connection.get_execution_options().get(READS)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _checked_version(connection: Connection, where: str) -> str:
    """The revision of the schema, empty where there is none yet; InputError where it is not ours,
    or newer than we are."""
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE not in tables:
        if tables:
            right = "a new file, or an empty database"
            raise InputError(where, "belongs to another program", right)
        return ""
    version = schema_version(connection)
    if version not in ("", SCHEMA) and version not in _known_versions():
        raise InputError(
            where, f"written by a newer stage2fuzz (schema {version})", "upgrade stage2fuzz"
        )
    return version


def _known_versions() -> list[str]:
    """The revisions of all migrations."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415  (slow to import, see SCHEMA)

    return [script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()]
