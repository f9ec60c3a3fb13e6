"""The cache of built libraries: one folder a key, whole or not there.

A library that was cut short, by a full disk or a killed process, would end whoever loads it with a
bus error. So a folder is complete before it gets its name, its report names the library's size and
SHA-256, and both are compared before anybody loads it. What does not fit is built anew.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError

LIBRARY: Final = "engine.so"
REPORT: Final = "report.json"
PROVED: Final = "proved"
"""The file beside a library that says that it was proved."""
RIGHT: Final = "a folder with room that can be written: --cache, or XDG_CACHE_HOME"


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What was found out about a tree when its library was built."""

    probes: dict[str, bool]
    refused: dict[str, str]
    """Units that the tree has and the shim can't serve, with what they need."""


def default_cache() -> Path:
    """Where libraries are kept between runs; they are made of the user's tree and stay local."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "stage2fuzz" / "kernel"


def load(folder: Path) -> BuildReport | None:
    """The report of the library in ``folder``; None where there is none that is whole."""
    try:
        report = json.loads((folder / REPORT).read_bytes())
        size, digest = report["size"], report["sha256"]
        library = folder / LIBRARY
        if library.stat().st_size != size or _sha256(library) != digest:
            return None
        return BuildReport(
            {str(name): bool(found) for name, found in report["probes"].items()},
            {str(name): str(needs) for name, needs in report["refused"].items()},
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


@contextmanager
def workshop(cache: Path) -> Iterator[Path]:
    """An empty folder in ``cache`` to build in, gone afterwards; InputError if there can be none.

    What the system says against writing in it while it is open is one line, too.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, ignore_cleanup_errors=True) as temporary:
            work = Path(temporary) / "new"
            work.mkdir()
            yield work
    except OSError as error:
        raise _refusal(cache, error) from None


def _refusal(cache: Path, error: OSError) -> InputError:
    """One line for an error of the system, in the cache or in a file of the tree."""
    what, named = error.strerror or str(error), str(error.filename or cache)
    if Path(named).is_relative_to(cache):
        return InputError(str(cache), what, RIGHT)
    return InputError(named, what, "a file that can be read")


def store(work: Path, folder: Path, found: BuildReport) -> None:
    """Give the library in ``work`` its name ``folder``, in place of one that is not whole."""
    library = work / LIBRARY
    report = {**asdict(found), "size": library.stat().st_size, "sha256": _sha256(library)}
    (work / REPORT).write_text(json.dumps(report))
    for path in (library, work / REPORT, work):
        _sync(path)
    try:
        work.rename(folder)
    except OSError:
        if load(folder) is not None:
            return  # somebody else has built the same meanwhile
        _set_aside(folder, work.parent / "old")
        with suppress(OSError):
            work.rename(folder)
    _sync(folder.parent)


def check_room(work: Path, complaint: str) -> None:
    """InputError if a compiler that failed in ``work``, and said ``complaint``, ran out of room."""
    cache = work.parent.parent
    if "No space left on device" in complaint or shutil.disk_usage(cache).free < 1 << 20:
        raise InputError(str(cache), "No space left on device", RIGHT)


def _set_aside(folder: Path, aside: Path) -> None:
    """Take what is in the way of a whole library out of it; another process may be as far."""
    with suppress(OSError):
        folder.rename(aside)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Have it on the disk before the name that promises it."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
