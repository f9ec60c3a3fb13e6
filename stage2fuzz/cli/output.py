"""Plain output: JSON for programs, files, and how wide a line for people may be."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError

PIPED: Final = 120
"""Columns where the output is no terminal and COLUMNS says nothing."""


def width() -> int:
    """Columns of a line on standard output: the terminal's, else what COLUMNS says."""
    if sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    value = os.environ.get("COLUMNS", "")
    return int(value) if value.isdecimal() and 20 <= int(value) <= 1000 else PIPED


def emit(record: object) -> None:
    """One JSON document on standard output."""
    print(json.dumps(record, indent=1))


def write(path: Path, content: str) -> None:
    """Write a file whole, its folder too; InputError where that cannot be."""
    from stage2fuzz.fuzz.outbox import write_whole  # noqa: PLC0415  (brings every engine)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except (OSError, ValueError) as error:
        text = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(str(path), text or "cannot be written") from None
