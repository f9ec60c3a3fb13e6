"""stage2fuzz series: which revision of the series shows which of its faults, run live."""

from typing import Annotated

import typer

from stage2fuzz.case.text import format_case
from stage2fuzz.cli.options import Json, check_range
from stage2fuzz.cli.output import emit, say
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.cli.tables import Table
from stage2fuzz.studies.series import FAULTS, REVISIONS, Cell, SeriesFault, cells, first_difference

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
        check_range(name, value, 1, MAX_SCHEDULES)
    begun: list[SeriesFault] = []
    whole = schedules * len(REVISIONS) * len(FAULTS) + 2 * compare
    with ProgressLine(as_json) as progress:

        def seen(revision: str, fault: SeriesFault) -> None:
            progress.update(f"{revision}: {fault.name}", schedules * len(begun) / whole)
            begun.append(fault)

        every = list(cells(schedules, seen))
        progress.update("v5.10+p1 against v5.10", 1 - 2 * compare / whole)
        different = first_difference("v5.10", "v5.10+p1", compare)
    if as_json:
        emit(
            {
                "cells": [_record(cell) for cell in every],
                "p1": {"schedules": compare, "different": different},
            }
        )
        return
    _table(every).show()
    print()
    for fault in FAULTS:
        say(f"{fault.short:<6}{fault.name}", indent=" " * 6)
    print()
    say(f"Each cell: how many of {schedules:,} schedules showed it, and the number of the first.")
    say(
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
    faults = tuple(fault.short for fault in FAULTS)
    drawn = Table("revision", *faults, numbers=faults)
    rows: dict[str, list[str]] = {}
    for cell in every:
        text = f"{cell.violations} #{cell.at}" if cell.violations else "-"
        rows.setdefault(cell.revision, []).append(text)
    for revision, texts in rows.items():
        drawn.add(revision, *texts)
    return drawn
