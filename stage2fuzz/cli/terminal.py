"""Output for people that changes while they look; width and colour follow the terminal."""

import os
import sys

from rich.console import Console

from stage2fuzz.cli.output import width


def console() -> Console:
    """Standard output; where it is no terminal, as wide as ``width`` says.

    NO_COLOR means no style at all: bold is a colour on many terminals.
    """
    return Console(
        highlight=False,
        markup=False,
        width=None if sys.stdout.isatty() else width(),
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )
