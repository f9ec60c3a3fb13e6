"""The file of a SQLite database: made for its owner alone, or refused before a byte is written."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy.engine import URL
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from stage2fuzz.errors import InputError

BUSY_SECONDS: Final = 60
"""How long a statement waits for another process that writes."""
MAGIC: Final = b"SQLite format 3\0"
OWNER_ONLY: Final = 0o600
"""A finding may be an unpublished fault of somebody's kernel."""
DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def make_file(url: URL, where: str, create: bool) -> Path | None:
    """See to it that the database's file is there; its path if it had to be made.

    Raises InputError for a path that is not, and cannot become, a SQLite database of ours.
    """
    name = url.database
    if not name or name == ":memory:":
        raise InputError(where, "a database in memory is lost at the end", "sqlite:///FILE")
    path = Path(name)
    try:
        if path.is_dir():
            raise InputError(where, "is a directory", "the path of a file")
        if not path.parent.is_dir():
            raise InputError(where, f"there is no directory {path.parent}", "make it first")
        missing = not path.exists()
        if missing and not create:
            raise InputError(where, "there is no such database", "--database FILE names another")
        if not missing and not path.is_file():
            raise InputError(where, "is no file", "the path of a file")
        if not os.access(path.parent, os.W_OK):
            why = "SQLite keeps its journal beside the database"
            raise InputError(where, f"the directory {path.parent} cannot be written", why)
        if missing:
            return _made(path)
        if not os.access(path, os.W_OK):
            raise InputError(where, "cannot be written")
        with path.open("rb") as file:
            begin = file.read(len(MAGIC))
    except OSError as error:
        raise InputError(where, f"cannot be opened ({error.strerror})") from None
    except ValueError as error:  # a NUL in the name
        raise InputError(where, f"is no file name ({error})") from None
    if begin not in (b"", MAGIC):
        raise InputError(where, "not a SQLite database")
    _check_intact(path, where)
    return None


def forget_empty(path: Path) -> None:
    """Remove the file that ``make_file`` made where nothing came of it."""
    with suppress(OSError):
        if path.stat().st_size == 0:
            path.unlink()


def write_ahead(cursor: Any) -> None:
    """Switch to the write-ahead log, in which readers never wait for a writer.

    SQLite does not wait for another process in this one statement, so two that open a new database
    at once are told that it is locked: the second tries again.
    """
    for attempt in Retrying(
        retry=retry_if_exception(_locked),
        wait=wait_random(0.01, 0.1),
        stop=stop_after_delay(BUSY_SECONDS),
        reraise=True,
    ):
        with attempt:
            cursor.execute("PRAGMA journal_mode = WAL")


def _made(path: Path) -> Path | None:
    """An empty file that nobody else may read; None where another process was faster."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
    except FileExistsError:
        return None
    return path


def _locked(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _check_intact(path: Path, where: str) -> None:
    """Read the schema without writing a byte, not even a journal. Raises InputError."""
    try:
        uri = f"file:{quote(str(path))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as connection:
            connection.execute("SELECT name FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE:
            what = f"the database is damaged ({error})"
            raise InputError(where, what, "restore a copy") from None
        raise InputError(where, f"cannot be read ({error})") from None
