"""Output for people: tables and lines whose width and colour follow the terminal."""

import os
import sys

from rich.console import Console
from rich.table import Table

from stage2fuzz.cli.output import width


def console() -> Console:
    """Standard output; where it is no terminal, as wide as ``width`` says.

    NO_COLOR means no style at all: bold is a colour on many terminals.
    """
    return Console(
        highlight=False,
        width=None if sys.stdout.isatty() else width(),
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )


def table(*titles: str, fold: str = "", head: bool = True) -> Table:
    """A table without lines whose column ``fold``, usually the last, folds inside itself."""
    made = Table(box=None, padding=(0, 2, 0, 0), show_header=head)
    for title in titles:
        made.add_column(title, no_wrap=title != fold, overflow="fold")
    return made
