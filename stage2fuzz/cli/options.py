"""Options that several commands take, each spelled once."""

from typing import Annotated, Final

import typer

MAX_DIGITS: Final = 9
"""Of a finding's number: what an integer of any database holds."""
MAX_NUMBER: Final = 10**MAX_DIGITS - 1
DEFAULT_DATABASE: Final = "sqlite:///stage2fuzz.db"
DATABASE_VARIABLE: Final = "STAGE2FUZZ_DATABASE"

Database = Annotated[
    str,
    typer.Option(
        "--database",
        envvar=DATABASE_VARIABLE,
        help="Database URL, or the path of a SQLite file.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
CaseName = Annotated[
    str, typer.Argument(metavar="ID|FILE", help="Number of a finding, or path of a case file.")
]
