"""Which commands run once more, confined, before they run a tree's code."""

from collections.abc import Iterable, Sequence

import typer

from stage2fuzz.cli.output import width
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.engine import engine_of, kind_of
from stage2fuzz.process.guard import guard
from stage2fuzz.process.limits import is_confined


def run_guarded(
    what: str, engines: Iterable[str], arguments: Sequence[str], quiet: bool = False
) -> None:
    """Where one of ``engines`` may take its process down, run the command line ``arguments``
    confined and exit as it does; else, or if this is the confined one, come back.

    ``quiet`` as for ``ProgressLine``.
    """
    names = list(engines)
    if is_confined() or not any(kind_of(name).isolated for name in names):
        return
    for name in names:
        engine_of(name)  # builds and proves it, under limits of its own
    run_again(what, arguments, quiet)


def run_again(what: str, arguments: Sequence[str], quiet: bool = False) -> None:
    """Run the command line ``arguments`` confined and exit as it does; if this is the confined
    one, come back.
    """
    if is_confined():
        return
    with ProgressLine(quiet) as progress:
        code = guard(what, arguments, progress.update, {"COLUMNS": str(width())})
    raise typer.Exit(code)
