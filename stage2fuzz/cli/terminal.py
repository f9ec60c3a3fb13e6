"""Output for people: tables and lines whose width and colour follow the terminal."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stage2fuzz.cli.output import width


def console() -> Console:
    """Standard output; where it is no terminal, as wide as ``width`` says."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else width())


def plain(text: str) -> Text:
    """Text from outside as text: no markup, no escape sequence, no line break of its own."""
    return Text("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text))


def table(*titles: str, fold: str = "", head: bool = True) -> Table:
    """A table without lines whose column ``fold``, usually the last, folds inside itself."""
    made = Table(box=None, padding=(0, 2, 0, 0), show_header=head)
    for title in titles:
        made.add_column(title, no_wrap=title != fold, overflow="fold")
    return made
