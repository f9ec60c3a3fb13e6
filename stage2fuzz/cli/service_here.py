"""A service that belongs to a command: started before all else, since it takes longest.

A worker needs as long to start as the command to import its database and to make one. What is here
imports neither; the worker opens the same database, and whoever comes first makes it.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stage2fuzz.cli.interrupt import Interrupt, on_signals
from stage2fuzz.service.local import Service, running

FILE: Final = ":///"
"""What a URL of a SQLite file has between its driver and its path."""


@dataclass(frozen=True, slots=True)
class ServiceHere:
    """The processes, and who asks the command to end."""

    parts: Service
    interrupt: Interrupt


@contextmanager
def service_here(database: str, workers: int, name: str) -> Iterator[ServiceHere]:
    """A service for the length of a ``with`` block, in which a request to end has to be heard.

    Raises InputError where the broker can't be started.
    """
    interrupt = Interrupt()
    with (
        on_signals(signal.SIGINT, signal.SIGTERM, act=interrupt, once=True),
        running(from_anywhere(database), workers, name) as parts,
    ):
        yield ServiceHere(parts, interrupt)


def from_anywhere(database: str) -> str:
    """The same database, as a process in another folder can name it."""
    if "://" not in database:
        return str(Path(database).absolute())
    driver, _, path = database.partition(FILE)
    if not driver.startswith("sqlite") or not path:
        return database
    return f"{driver}{FILE}{Path(path).absolute()}"
