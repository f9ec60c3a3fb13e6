"""stage2fuzz series: which revision of the series shows which of its faults, run live."""

from typing import Annotated

import typer
from rich.table import Table

from stage2fuzz.case.text import format_case
from stage2fuzz.cli.options import Json
from stage2fuzz.cli.output import emit
from stage2fuzz.cli.terminal import console, table
from stage2fuzz.errors import InputError
from stage2fuzz.studies.series import FAULTS, Cell, Fault, cells, first_difference

MAX_SCHEDULES = 10_000_000


def series(
    schedules: Annotated[int, typer.Option(help="Schedules of each revision and fault.")] = 500,
    compare: Annotated[
        int, typer.Option(help="Schedules on which v5.10+p1 is compared with v5.10.")
    ] = 5000,
    as_json: Json = False,
) -> None:
    """Run every revision on every fault of the series and print what the oracles said."""
    for name, value in (("--schedules", schedules), ("--compare", compare)):
        if not 1 <= value <= MAX_SCHEDULES:
            raise InputError(name, f"{value} is out of range", f"1 to {MAX_SCHEDULES}")
    out = console()
    with out.status("") as status:

        def seen(revision: str, fault: Fault) -> None:
            status.update(f"{revision}: {fault.name}")

        every = list(cells(schedules, seen))
        status.update("v5.10+p1 against v5.10")
        different = first_difference("v5.10", "v5.10+p1", compare)
    if as_json:
        emit(
            {
                "cells": [_record(cell) for cell in every],
                "p1": {"schedules": compare, "different": different},
            }
        )
        return
    out.print(_table(every))
    out.print()
    for fault in FAULTS:
        out.print(f"{fault.short:<6}{fault.name}")
    out.print(
        f"\nEach cell: how many of {schedules:,} schedules showed it, and the number of the first."
    )
    out.print(
        f"v5.10+p1 is v5.10, event for event, on all of {compare:,} schedules."
        if not different
        else f"v5.10+p1 differs from v5.10 on schedule {different}."
    )


def _record(cell: Cell) -> dict[str, object]:
    return {
        "revision": cell.revision,
        "fault": cell.fault.name,
        "oracle": cell.fault.rule,
        "schedules": cell.schedules,
        "violations": cell.violations,
        "first": cell.at,
        "case": format_case(cell.first) if cell.first else None,
    }


def _table(every: list[Cell]) -> Table:
    drawn = table("revision")
    for fault in FAULTS:
        drawn.add_column(fault.short, justify="right", no_wrap=True)
    rows: dict[str, list[str]] = {}
    for cell in every:
        text = f"{cell.violations} #{cell.at}" if cell.violations else "-"
        rows.setdefault(cell.revision, []).append(text)
    for revision, texts in rows.items():
        drawn.add_row(revision, *texts)
    return drawn
