"""The command line: one module a command, and one place where bad news becomes exit codes.

0: nothing found, 1: violations found, 2: bad input, 3: inconclusive, 70: our own bug.
"""

import sys
from typing import Final, NoReturn

import typer

from stage2fuzz.cli.app import app
from stage2fuzz.cli.exits import BAD_INPUT, INCONCLUSIVE, INTERRUPTED, OWN_BUG
from stage2fuzz.cli.output import plain
from stage2fuzz.cli.program import program
from stage2fuzz.cli.streams import (
    PLACE_ERRORS,
    Output,
    ReaderLeftError,
    complain,
    end_as_the_reader_left,
    tidy_streams,
)
from stage2fuzz.errors import InputError
from stage2fuzz.process.cage import hide
from stage2fuzz.process.end import DiedError
from stage2fuzz.process.guard import Pulse

USAGE_ERROR: Final[type[Exception]] = typer.BadParameter.__bases__[0]
"""Click's UsageError, whichever Click this Typer is built on."""


def main() -> None:
    """Entry point of ``stage2fuzz``."""
    hide()  # what runs confined must not read our passwords
    Pulse().begin()
    try:
        _main()
    except SystemExit as end:
        Pulse().end(end.code, Output.written)
        raise


def _main() -> None:
    try:
        with tidy_streams():
            code = app(prog_name="stage2fuzz", standalone_mode=False) or 0
    except InputError as error:
        _refuse(str(error))
    except USAGE_ERROR as error:
        _refuse_usage(error)
    except DiedError as error:
        complain(f"stage2fuzz: inconclusive: {error}")
        sys.exit(INCONCLUSIVE)
    except ReaderLeftError:
        end_as_the_reader_left()
    except OSError as error:
        if error.errno not in PLACE_ERRORS:
            _report_bug()
        _refuse(f"{error.filename or 'a file'}: {error.strerror}")
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(INTERRUPTED)
    except Exception:
        _report_bug()
    else:
        sys.exit(code)


def _refuse_usage(error: Exception) -> NoReturn:
    """An argument that does not fit its command; a command without any shows its help instead."""
    context = getattr(error, "ctx", None)
    message: str = getattr(error, "format_message", error.__str__)()
    if context is None:
        _refuse(message)
    if message == context.get_help():
        print(message)
        sys.exit(BAD_INPUT)
    command = " ".join(context.command_path.split()[1:])
    where = f"{command}: " if command else ""
    asked = " ".join([program(), *command.split(), "--help"])
    _refuse(f"{where}{message.rstrip('.')}; see '{asked}'")


def _refuse(text: str) -> NoReturn:
    """One line, whatever a name or a file had in it."""
    complain(f"stage2fuzz: {plain(text)}")
    sys.exit(BAD_INPUT)


def _report_bug() -> NoReturn:
    """Called where the exception is handled."""
    import traceback

    complain(traceback.format_exc())
    complain("stage2fuzz: this is our own bug; please report the lines above")
    sys.exit(OWN_BUG)
