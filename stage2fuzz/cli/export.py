"""stage2fuzz export: a run as a trace that another tool judges."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from stage2fuzz.cli.named import load, stored
from stage2fuzz.cli.options import DEFAULT_DATABASE, Database
from stage2fuzz.cli.output import write
from stage2fuzz.errors import InputError
from stage2fuzz.report.casemate import casemate_trace, keeps_locks
from stage2fuzz.session.display import display


def export(
    subject: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="A finding's number, or a case file.")
    ],
    casemate: Annotated[
        bool, typer.Option("--casemate", help="For casemate-check: Arm's break-before-make.")
    ] = False,
    projected: Annotated[
        bool,
        typer.Option("--projected", help="Without access flags and rights, which casemate reads."),
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to this file.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Write a run as a trace that another tool judges: casemate-check."""
    if not casemate:
        raise InputError("export", "needs the tool that is to read it", "--casemate")
    outcome = display(load(subject, stored(subject, database))).outcome
    trace = casemate_trace(outcome.events, outcome.stacks, projected)
    if output is None:
        print(trace, end="")
    else:
        write(output, trace)
        locks = "" if keeps_locks(outcome.events) else " -R"
        print(f"next: casemate-check{locks} {output}", file=sys.stderr)
