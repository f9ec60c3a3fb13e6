"""The command line: one module a command group, and one place where bad news becomes exit codes.

0: nothing found, 1: violations found, 2: bad input, 3: too little ran to say, 70: our own bug.
"""

import sys
from typing import Final, NoReturn

import typer

from stage2fuzz.cli.app import app
from stage2fuzz.cli.program import program
from stage2fuzz.errors import InputError
from stage2fuzz.process.cage import hide
from stage2fuzz.process.end import DiedError
from stage2fuzz.process.guard import Pulse

FOUND = 1
BAD_INPUT = 2
INCONCLUSIVE = 3
OWN_BUG = 70
INTERRUPTED = 130
USAGE_ERROR: Final[type[Exception]] = typer.BadParameter.__bases__[0]
"""Click's UsageError, whichever Click this Typer is built on."""


def main() -> None:
    """Entry point of ``stage2fuzz``."""
    hide()  # what runs confined must not read our passwords
    try:
        _main()
    except SystemExit as end:
        Pulse().end(end.code)
        raise


def _main() -> None:
    try:
        sys.exit(app(prog_name="stage2fuzz", standalone_mode=False) or 0)
    except InputError as error:
        _refuse(str(error))
    except USAGE_ERROR as error:
        _refuse_usage(error)
    except DiedError as error:
        print(f"stage2fuzz: inconclusive: {error}", file=sys.stderr)
        sys.exit(INCONCLUSIVE)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(INTERRUPTED)
    except Exception:
        import traceback  # noqa: PLC0415  (needed only here)

        traceback.print_exc()
        print("stage2fuzz: this is our own bug; please report the lines above", file=sys.stderr)
        sys.exit(OWN_BUG)


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
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    print(f"stage2fuzz: {line}", file=sys.stderr)
    sys.exit(BAD_INPUT)
