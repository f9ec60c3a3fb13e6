"""What the commands share: options, the console, and how a case is named."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import parse, read_case
from stage2fuzz.errors import InputError
from stage2fuzz.findings.models import Finding
from stage2fuzz.findings.store import Store
from stage2fuzz.fuzz.outbox import write_whole

MAX_DIGITS: Final = 9
"""Of a finding's number: what an integer of any database holds."""
MAX_NUMBER: Final = 10**MAX_DIGITS - 1
DEFAULT_DATABASE: Final = "sqlite:///stage2fuzz.db"

Database = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="STAGE2FUZZ_DATABASE",
        help="Database URL, or the path of a SQLite file.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
CaseName = Annotated[
    str, typer.Argument(metavar="ID|FILE", help="Number of a finding, or path of a case file.")
]


def console() -> Console:
    """Standard output for people: colour and width follow the terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _columns())


def _columns() -> int:
    value = os.environ.get("COLUMNS", "")
    return int(value) if value.isdigit() and 40 <= int(value) <= 1000 else 120


def emit(record: object) -> None:
    """One JSON document on standard output."""
    print(json.dumps(record, indent=1))


def write(path: Path, content: str) -> None:
    """Write a file whole, its folder too; InputError where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except (OSError, ValueError) as error:
        text = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(str(path), text or "cannot be written") from None


def finding_number(name: str) -> int:
    """The number of a finding; InputError for one that no database can hold."""
    if len(name) > MAX_DIGITS:
        raise InputError(f"finding {name[:MAX_DIGITS]}...", "there is none", "see findings list")
    return int(name)


def stored(name: str, database: str) -> Finding | None:
    """The finding of that number; None where ``name`` is a file's."""
    if not name.isdecimal():
        return None
    number = finding_number(name)
    with Store.open(database) as store:
        return store.get(number)


def load(name: str, finding: Finding | None) -> Case:
    """The reproducer of the finding that ``stored`` found, or the case in the file ``name``."""
    if finding is not None:
        return parse(finding.reproducer, f"finding {finding.id}")
    try:
        return read_case(Path(name))
    except ValueError:  # a NUL in the name
        raise InputError(name[:80], "not a file name", "ID or FILE") from None


def table(*titles: str, fold: str = "", head: bool = True) -> Table:
    """A table without lines whose column ``fold``, usually the last, folds inside itself."""
    made = Table(box=None, padding=(0, 2, 0, 0), show_header=head)
    for title in titles:
        made.add_column(title, no_wrap=title != fold, overflow="fold")
    return made
