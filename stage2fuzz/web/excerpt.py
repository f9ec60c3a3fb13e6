"""A few lines of the user's tree around a place that a run names, as they are now.

The path comes from a compiled tree's debugging data, so it is distrusted: nothing outside the tree
is read, whatever it says.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final

from stage2fuzz.engine import kind_of, parts_of
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.repository import FOLDERS, located
from stage2fuzz.report.fragment import Excerpt

AROUND: Final = 4
MOST_LETTERS: Final = 200
"""Of a line."""
MOST_LINES: Final = 20_000
"""Of a file."""
MOST_BYTES: Final = 4 << 20
"""Of a file: a tree is a stranger's, and one line of it may have no end."""
MOST_FILES: Final = 20_000
"""Below one folder that a build reads; a kernel has some hundred."""


def excerpt_of(engine: str) -> Excerpt:
    """Where the lines of that engine's tree come from; none for a model, or where it has gone."""
    if not kind_of(engine).isolated:
        return lambda _place: ()
    try:
        root = located(Path(parts_of(engine)[1])).resolve()
    except (InputError, OSError):
        return lambda _place: ()
    return lambda place: _lines(root, place.file, place.line)


def file_of(engine: str, file: str) -> Sequence[tuple[int, str]]:
    """All lines of a file of an engine's tree, numbered; none where it can't be read."""
    try:
        root = located(Path(parts_of(engine)[1])).resolve()
    except (InputError, OSError):
        return ()
    return _read(root, file, 1, MOST_LINES)


def edition_of(engine: str) -> str:
    """Names what an engine's tree holds now: equal as long as no file that a build reads was
    written, made or removed. Empty for a model, and for a tree that has gone.
    """
    if not kind_of(engine).isolated:
        return ""
    digest = hashlib.sha256()
    try:
        root = located(Path(parts_of(engine)[1])).resolve()
    except (InputError, OSError, ValueError):
        return ""
    for folder in FOLDERS:
        for path in sorted(islice((root / folder).rglob("*"), MOST_FILES)):
            with suppress(OSError):  # a link to nothing
                about = path.stat()
                line = f"{path}\0{about.st_mtime_ns} {about.st_size}\0"
                digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _lines(root: Path, file: str, line: int) -> Sequence[tuple[int, str]]:
    if not line:
        return ()
    first = max(1, line - AROUND)
    return _read(root, file, first, line + AROUND)


def _read(root: Path, file: str, first: int, last: int) -> Sequence[tuple[int, str]]:
    """Lines ``first`` to ``last`` of a file below ``root``, and of nothing else."""
    try:
        path = (root / file).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            return ()
        about = path.stat()
        if about.st_size > MOST_BYTES:
            return ()
        lines = _edition_of_file(path, about.st_mtime_ns, about.st_size)
    except (OSError, ValueError):
        return ()
    return tuple(enumerate(lines[first - 1 : last], first))


@lru_cache(maxsize=16)
def _edition_of_file(path: Path, _written: int, _size: int) -> Sequence[str]:
    """All lines of a file as it was written then. Raises OSError and ValueError."""
    with path.open(errors="replace") as opened:
        return [each.rstrip()[:MOST_LETTERS].expandtabs() for each in islice(opened, MOST_LINES)]
