"""Plain output: JSON for programs, files, and how wide a line for people may be."""

import json
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from textwrap import wrap
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


def plain(text: str) -> str:
    """One line without control characters: what a strange process wrote is text and no command."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def say(text: str = "", indent: str = "") -> None:
    """Print a sentence, folded at spaces to the width of the terminal; later lines set in."""
    lines = wrap(plain(text), width(), subsequent_indent=indent, break_on_hyphens=False)
    print("\n".join(lines))


def emit(record: object) -> None:
    """One JSON document on standard output."""
    print(json.dumps(record, indent=1))


def iso(seconds: float) -> str:
    """A moment as ISO 8601 has it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def write(path: Path, content: str | bytes) -> None:
    """Write a file whole, its folder too; InputError where that cannot be."""
    from stage2fuzz.fuzz.outbox import write_whole_bytes

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole_bytes(path, content if isinstance(content, bytes) else content.encode())
    except (OSError, ValueError) as error:
        text = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(str(path), text or "cannot be written") from None
