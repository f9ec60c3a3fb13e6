"""stage2fuzz export: a run as a trace that another tool judges, or a case for a program."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from stage2fuzz.case.json_form import to_json
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
    as_json: Annotated[
        bool, typer.Option("--json", help="The case as JSON: /api/case-schema has its schema.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to this file.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Write a case as JSON, or its run as a trace that another tool judges: casemate-check."""
    if casemate == as_json:
        right = "--casemate or --json"
        raise InputError("export", "needs the form that is to be written", right)
    if not casemate:
        record = to_json(load(subject, stored(subject, database)))
        text = json.dumps(record, indent=1) + "\n"
        if output is None:
            print(text, end="")
        else:
            write(output, text)
        return
    outcome = display(load(subject, stored(subject, database))).outcome
    trace = casemate_trace(outcome.events, outcome.stacks, projected)
    if output is None:
        print(trace, end="")
    else:
        write(output, trace)
        locks = "" if keeps_locks(outcome.events) else " -R"
        print(f"next: casemate-check{locks} {output}", file=sys.stderr)
