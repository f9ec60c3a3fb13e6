"""One line of progress with an estimate, on standard error: standard output stays the result's."""

import sys
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from stage2fuzz.cli.terminal import LINE_SECONDS, console
from stage2fuzz.process.guard import Pulse

REFRESHES: Final = 12.5
"""Of the line on a terminal, a second."""


class ProgressLine:
    """What a long command says while it works: always on a terminal, else now and then."""

    def __init__(self, quiet: bool = False) -> None:
        """``quiet`` says nothing unless somebody watches: a program reads the result."""
        self._console = console(error=True)
        self._watched = sys.stderr.isatty()
        self._quiet = quiet and not self._watched
        self._begun = time.monotonic()
        self._next = self._begun + LINE_SECONDS
        self._stack = ExitStack()
        self._guard = Pulse()
        self._spinner = Spinner("dots")

    def __enter__(self) -> Self:
        if self._watched:
            # Where standard output is no terminal the result must not go where the line goes.
            redirect = sys.stdout.isatty()
            live = Live(
                self._spinner,
                console=self._console,
                refresh_per_second=REFRESHES,
                transient=True,
                redirect_stdout=redirect,
            )
            self._stack.enter_context(live)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stack.close()

    def update(self, line: str, done: float = 0.0) -> None:
        """Say ``line``; ``done``, from 0 to 1, gives the estimate of what is left.

        A confined command leaves that to its guard.
        """
        if self._guard.heard:
            self._guard.progress(line, done)
            return
        if self._quiet:
            return
        now = time.monotonic()
        if not self._watched and now < self._next:
            return
        spent = now - self._begun
        left = f", about {spent * (1 - done) / done:,.0f} s left" if done > 0 and spent > 1 else ""
        if self._watched:
            self._spinner.update(text=Text(line + left))
        else:
            self._next = now + LINE_SECONDS
            print(line + left, file=sys.stderr, flush=True)
