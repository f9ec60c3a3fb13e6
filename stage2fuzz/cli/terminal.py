"""Output for people that changes while they look; width and colour follow the terminal."""

import os
import sys
from typing import Final

from rich.console import Console

from stage2fuzz.cli.output import width

LINE_SECONDS: Final = 10.0
"""Between two lines of progress where the output is no terminal."""


def console(error: bool = False) -> Console:
    """Standard output, or with ``error`` standard error; where standard output is no terminal, as
    wide as ``width`` says.

    NO_COLOR means no style at all: bold is a colour on many terminals.
    """
    return Console(
        stderr=error,
        highlight=False,
        markup=False,
        width=None if error or sys.stdout.isatty() else width(),
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )
