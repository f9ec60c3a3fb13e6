"""What a long command shows while it works, and how an interrupt ends it with nothing lost."""

import signal
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Final, Protocol

from rich.live import Live
from rich.table import Table

from stage2fuzz.cli.interrupt import on_signals
from stage2fuzz.cli.output import plain
from stage2fuzz.cli.terminal import LINE_SECONDS, console
from stage2fuzz.session.intake import Intake

SHOWN: Final = 8
"""Findings under the line where it is one."""


class Work(Protocol):
    """A session that is driven step by step."""

    @property
    def intake(self) -> Intake:
        """Where its findings go."""

    def step(self) -> bool:
        """Do what there is to; False when there will be no more."""

    def pause(self) -> None:
        """Wait a moment for the processes that do the work."""


def drive(work: Work, lines: Callable[[], list[str]], quiet: bool, seconds: float) -> None:
    """Do the work to its end and minimise what it finds meanwhile; it was given ``seconds``.

    A terminal shows ``lines`` all the time, anything else the first of them now and then, and
    ``quiet`` nothing.
    """
    out = console()
    live = Live(console=out, auto_refresh=False, transient=True)
    shown = not quiet and out.is_terminal
    next_line = time.monotonic() + LINE_SECONDS
    stop = partial(_stop, work.intake)
    with (
        on_signals(signal.SIGINT, signal.SIGTERM, act=stop),
        live if shown else nullcontext(),
    ):
        # What it finds keeps coming for a while after its time.
        work.intake.end_by(seconds, left=seconds)
        working = True
        while working or work.intake.to_minimise:
            if working and not (working := work.step()):
                work.intake.end_by(seconds)
            if work.intake.minimise_one() is None:
                work.pause()
            if shown:
                live.update(_view(lines(), work.intake), refresh=True)
            elif not quiet and time.monotonic() > next_line:
                next_line += LINE_SECONDS
                out.print(lines()[0])
    if work.intake.left_as_found and not quiet:
        out.print(f"{work.intake.left_as_found} findings were not minimised: the time was over")


def _view(lines: list[str], intake: Intake) -> Table:
    table = Table.grid(padding=(0, 1))
    for text in lines:
        table.add_row(text)
    for number, verdict in list(intake.findings.items())[-SHOWN:]:
        table.add_row(f"  #{number} {plain(verdict)}")
    return table


def _stop(intake: Intake) -> None:
    """End the work and keep what was found; asked a second time, give up minimising too."""
    if intake.stopping:
        intake.to_minimise.clear()
    intake.stopping = True
