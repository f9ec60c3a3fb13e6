"""Where database, broker and folders are, from the environment; the same names everywhere.

The service is set up by a handful of variables, so that a compose file, a shell and a test say
the same thing the same way. Nothing here has a default that listens beyond this machine, and no
password has a default at all.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from stage2fuzz import places
from stage2fuzz.errors import InputError

DATABASE: Final = "STAGE2FUZZ_DATABASE"
BROKER: Final = "STAGE2FUZZ_BROKER"
WORK: Final = "STAGE2FUZZ_WORK"
TARGETS: Final = "STAGE2FUZZ_TARGETS"
METRICS: Final = "STAGE2FUZZ_METRICS"
LEASE: Final = "STAGE2FUZZ_LEASE"
BROKER_SCHEMES: Final = {"redis", "rediss", "redis+socket"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process of the service needs to know of its surroundings."""

    database: str
    """SQLAlchemy URL: SQLite or PostgreSQL."""
    broker: str
    """Redis or Valkey URL, over TCP or a Unix socket."""
    work: Path
    """Where a worker makes the folders of its orders; must hold some hundred MiB."""
    targets: Path
    """The folder of the fuzz targets."""
    metrics: tuple[str, int]
    """Address and port of the coordinator's figures; port 0 is off."""
    lease: float
    """Seconds that a claim lasts without a heartbeat; the same for all parts of a service."""


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings. Raises InputError that names the variable."""
    broker = environment.get(BROKER, "redis://127.0.0.1:6379/0")
    if urlsplit(broker).scheme not in BROKER_SCHEMES:
        raise InputError(BROKER, "is no Redis URL", "redis://127.0.0.1:6379/0, for one")
    host, _, port = environment.get(METRICS, "127.0.0.1:9464").rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise InputError(METRICS, "is no address and port", "127.0.0.1:9464, for one")
    lease = environment.get(LEASE, "30")
    if not lease.isdigit() or not 1 <= int(lease) <= 3600:
        raise InputError(LEASE, f"{lease!r} is no length", "1 to 3600 seconds")
    return Settings(
        database=environment.get(DATABASE, "sqlite:///stage2fuzz.db"),
        broker=broker,
        work=Path(environment.get(WORK, "/tmp")),
        targets=Path(environment.get(TARGETS, str(places.TARGETS))).absolute(),
        metrics=(host, int(port)),
        lease=float(lease),
    )
