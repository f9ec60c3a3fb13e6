"""``stage2fuzz target``: one fuzz target, as a person would run its file by path."""

import os
import sys
from typing import Annotated

import typer

from stage2fuzz import places
from stage2fuzz.errors import InputError
from stage2fuzz.fuzz_targets import CANARY, EL2_TARGETS, NESTED, TARGETS


def target(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="See 'stage2fuzz targets'.")],
) -> None:
    """Run one fuzz target alone, with libFuzzer's flags and corpus folders after it.

    It also takes --engine, --outbox FOLDER, --own-loop and --no-seeds. A crash is told by
    libFuzzer's own words; nothing is kept in a database.
    """
    known = (*TARGETS, NESTED, *EL2_TARGETS, CANARY)
    if name not in known:
        raise InputError("NAME", f"no target {name!r}", "one of " + ", ".join(known))
    sys.stdout.flush()
    script = str(places.TARGETS / f"{name}.py")
    os.execv(sys.executable, [sys.executable, script, *context.args])
