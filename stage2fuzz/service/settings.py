"""Where database, broker and folders are, from the environment; the same names everywhere.

The service is set up by a handful of variables, so that a compose file, a shell and a test say
the same thing the same way. Nothing here has a default that listens beyond this machine, and no
password has a default at all.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, field

from stage2fuzz import places
from stage2fuzz.errors import InputError

DATABASE: Final = "STAGE2FUZZ_DATABASE"
BROKER: Final = "STAGE2FUZZ_BROKER"
WORK: Final = "STAGE2FUZZ_WORK"
TARGETS: Final = "STAGE2FUZZ_TARGETS"
METRICS: Final = "STAGE2FUZZ_METRICS"
LEASE: Final = "STAGE2FUZZ_LEASE"
ALIVE: Final = "STAGE2FUZZ_ALIVE"
REAL_IMAGE: Final = "STAGE2FUZZ_REAL_IMAGE"
SERVICE: Final = "STAGE2FUZZ_SERVICE"
RIGHT: Final = {
    DATABASE: "sqlite:///stage2fuzz.db, for one",
    BROKER: "redis://127.0.0.1:6379/0, for one",
    METRICS: "127.0.0.1:9464, for one; port 0 is any, off is none",
    LEASE: "1 to 3600 seconds",
}
"""What would be right, for the line that refuses a variable."""


class Settings(msgspec.Struct, frozen=True):
    """What a process of the service needs to know of its surroundings."""

    database: str = field(name=DATABASE, default="sqlite:///stage2fuzz.db")
    """SQLAlchemy URL: SQLite or PostgreSQL."""
    broker: Annotated[str, Meta(pattern=r"^(rediss?|redis\+socket)://")] = field(
        name=BROKER, default="redis://127.0.0.1:6379/0"
    )
    """Redis or Valkey URL, over TCP or a Unix socket."""
    work: Path = field(name=WORK, default=Path("/tmp"))
    """Where a worker makes the folders of its orders; must hold some hundred MiB."""
    targets: Path = field(name=TARGETS, default=places.TARGETS)
    """The folder of the fuzz targets."""
    metrics: Annotated[str, Meta(pattern=r"^(.+:\d{1,5}|off)\Z")] = field(
        name=METRICS, default="127.0.0.1:9464"
    )
    """Address and port of the coordinator's figures; port 0 is any free one, ``off`` is none."""
    lease: Annotated[int, Meta(ge=1, le=3600)] = field(name=LEASE, default=30)
    """Seconds that a claim lasts without a heartbeat; the same for all parts of a service."""
    real_image: Path | None = field(name=REAL_IMAGE, default=None)
    """A kernel image that a worker may boot under QEMU; none: it takes no such orders."""
    service: Annotated[str, Meta(max_length=40)] = field(name=SERVICE, default="")
    """The name of the service this process is part of; empty for the shared one."""
    alive: Path | None = field(name=ALIVE, default=None)
    """A file whose time is renewed while this process lives and reaches its database; for the
    health check of a container, which then costs no Python."""

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Host and port to listen on; None where the figures are off."""
        if self.metrics == "off":
            return None
        host, _, port = self.metrics.rpartition(":")
        return host, int(port)


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings. Raises an InputError that names the variable and not its value."""
    given = {name: value for name, value in environment.items() if name.startswith("STAGE2FUZZ_")}
    try:
        settings = msgspec.convert(given, Settings, strict=False, dec_hook=_absolute)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        name = path.rstrip("`")
        why = "is of another form" if "regex" in what else what
        raise InputError(name, why, RIGHT.get(name, "")) from None
    address = settings.metrics_address
    if address is not None and address[1] > 65535:
        raise InputError(METRICS, f"there is no port {address[1]}", RIGHT[METRICS])
    return settings


def show_alive() -> None:
    """Renew the time of the file ``alive``, where there is one; called every ten seconds."""
    path = from_environment().alive
    if path is not None:
        path.touch()


def _absolute(_kind: type, value: object) -> Path:
    """A path that still holds in another working directory."""
    return Path(str(value)).absolute()
