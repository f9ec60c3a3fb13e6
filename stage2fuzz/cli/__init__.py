"""The command line: one module a command group, and one place where bad news becomes exit codes.

0: nothing found, 1: violations found, 2: bad input, 70: our own bug.
"""

import sys

from stage2fuzz.cli.app import app
from stage2fuzz.errors import InputError

FOUND = 1
BAD_INPUT = 2
OWN_BUG = 70
INTERRUPTED = 130


def main() -> None:
    """Entry point of ``stage2fuzz``."""
    try:
        app()
    except InputError as error:
        print(f"stage2fuzz: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception:
        import traceback  # noqa: PLC0415  (needed only here)

        traceback.print_exc()
        print("stage2fuzz: this is our own bug; please report the lines above", file=sys.stderr)
        sys.exit(OWN_BUG)
