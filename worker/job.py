"""Job: a lease in the hands of this worker, from the claim to the commit.

The database may go away for a while and come back, and what a worker has found must not be lost
by that, so every write is repeated with growing pauses. Only the epoch decides whether it counts.
"""

import logging
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.errors import InputError
from stage2fuzz.findings import leases
from stage2fuzz.findings.corpus import Input
from stage2fuzz.findings.leases import HeldLease
from stage2fuzz.findings.outage import OutageError, one_line, patiently
from stage2fuzz.findings.store import Store
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.process.wait import NoRoomError, expect_room
from stage2fuzz.service.orders import FuzzResult, Result
from stage2fuzz.service.settings import Settings, from_environment

LOOK_SECONDS: Final = 1.0
LOG: Final = logging.getLogger("stage2fuzz.worker")


class LeaseLostError(Exception):
    """The lease went to somebody else, or its campaign was stopped: leave everything as it is."""


class Job:
    """One claimed lease: its folder, its heartbeat, its results."""

    def __init__(self, store: Store, held: HeldLease, settings: Settings, folder: Path) -> None:
        """``held`` is what ``claim`` returned, ``folder`` an empty one that is ours."""
        self.store, self.held, self.settings, self.folder = store, held, settings, folder
        self._next_beat = time.monotonic() + settings.lease / 3
        self._next_look = 0.0

    def beat(self) -> None:
        """Keep the lease, every third of its length. Raises LeaseLostError."""
        if time.monotonic() < self._next_beat:
            self._look()
            return
        self._next_beat = time.monotonic() + self.settings.lease / 3
        try:
            kept = leases.heartbeat(self.store.engine, self.held, self.settings.lease)
        except OutageError as trouble:
            LOG.warning("no heartbeat for lease %d: %s", self.held.lease, one_line(trouble))
            return
        if not kept:
            raise LeaseLostError

    def _look(self) -> None:
        """See every second whether the order is still wanted. Raises LeaseLostError."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        with suppress(OutageError):
            if not leases.is_wanted(self.store.engine, self.held):
                raise LeaseLostError

    def report(self, found: Case, violation: Violation, events: str) -> int:
        """Record a finding at once, so that no later death of ours can lose it."""
        return patiently(lambda: leases.report(self.store, self.held, found, violation, events))

    def commit(self, outcome: Result, inputs: Iterable[Input] = ()) -> bool:
        """Hand in the result; False where the lease was lost meanwhile."""
        rows = list(inputs)

        def write() -> bool:
            with self.store.engine.begin() as connection:
                return leases.commit(connection, self.held, outcome, rows)

        return patiently(write)

    def cut_short(self, outcome: FuzzResult) -> bool:
        """Hand in what was done until the campaign ended; False where that was not the reason."""

        def write() -> bool:
            with self.store.engine.begin() as connection:
                return leases.cut_short(connection, self.held, outcome)

        return patiently(write)

    def clean(self) -> None:
        """Remove the order's folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def claimed(campaign: int, lease: int) -> Job | None:
    """Claim a lease; None where there is nothing to do. Raises NoRoomError."""
    settings = from_environment()
    folder = _empty_folder(settings.work)
    store = patiently(lambda: database(os.getpid(), settings.database), (OutageError, InputError))
    held = patiently(lambda: leases.claim(store.engine, lease, campaign, owner(), settings.lease))
    if held is None:
        folder.rmdir()
        return None
    return Job(store, held, settings, folder)


def _empty_folder(work: Path) -> Path:
    """A folder for an order, made before anything is claimed. Raises NoRoomError."""
    try:
        expect_room(work)
        return Path(tempfile.mkdtemp(prefix="stage2fuzz-order-", dir=work))
    except OSError as error:
        raise NoRoomError(f"{work} can't be used: {error.strerror}") from None


@lru_cache(maxsize=2)
def database(process: int, url: str) -> Store:
    """The database, opened once a process: a connection must not be shared over a fork.

    The parent's is kept beside our own, for to forget it here would be to close it.
    """
    return Store.open(url)


def owner() -> str:
    """Who we are: host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"
