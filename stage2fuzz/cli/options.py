"""Options that several commands take, each spelled once, and what their numbers may be."""

import os
from typing import Annotated, Final, Literal

import typer

from stage2fuzz.errors import InputError

MAX_DIGITS: Final = 9
"""Of a finding's number: what an integer of any database holds."""
MAX_NUMBER: Final = 10**MAX_DIGITS - 1
DEFAULT_DATABASE: Final = "sqlite:///stage2fuzz.db"
DATABASE_VARIABLE: Final = "STAGE2FUZZ_DATABASE"
MAX_SECONDS: Final = 30 * 24 * 3600
"""Of one command's work."""
MAX_JOBS: Final = 1024

Database = Annotated[
    str,
    typer.Option(
        "--database",
        envvar=DATABASE_VARIABLE,
        help="Database URL, or the path of a SQLite file.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Jobs = Annotated[int, typer.Option(help="Processes at once; 0: one a core.")]
FailOn = Annotated[
    Literal["any", "new"],
    typer.Option(help="Exit 1 for any finding, or for new ones only, not for known causes."),
]
CaseName = Annotated[
    str,
    typer.Argument(
        metavar="ID|FILE", help="Of a finding (3.2: its second example), or a case file."
    ),
]


def check_range(option: str, value: int, low: int, high: int) -> None:
    """InputError where the value given to ``option`` is not from ``low`` to ``high``."""
    if not low <= value <= high:
        raise InputError(option, f"{value} is out of range", f"{low} to {high}")


def cores(jobs: int) -> int:
    """How many processes ``--jobs`` means; InputError for a number that is none."""
    if not 0 <= jobs <= MAX_JOBS:
        raise InputError("--jobs", f"{jobs} is out of range", f"0 (one a core) to {MAX_JOBS}")
    return jobs or os.cpu_count() or 1
