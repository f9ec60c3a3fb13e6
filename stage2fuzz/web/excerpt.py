"""A few lines of the user's tree around a place that a run names.

The path comes from a compiled tree's debugging data, so it is distrusted: nothing outside the tree
is read, whatever it says.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final

from stage2fuzz.engine import kind_of, parts_of
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.repository import located
from stage2fuzz.report.fragment import Excerpt

AROUND: Final = 4
MOST_LETTERS: Final = 200
"""Of a line."""
MOST_LINES: Final = 20_000
"""Of a file."""


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


@lru_cache(maxsize=512)
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
        with path.open(errors="replace") as opened:
            wanted = list(islice(opened, first - 1, last))
    except (OSError, ValueError):
        return ()
    lines = [each.rstrip()[:MOST_LETTERS].expandtabs() for each in wanted]
    return tuple(enumerate(lines, first))
