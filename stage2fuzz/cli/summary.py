"""What a session or a campaign found, and the commands to type next."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NoReturn

import typer

from stage2fuzz.cli.causes import by_cause, numbers, told
from stage2fuzz.cli.output import emit, plain, say
from stage2fuzz.cli.program import hint
from stage2fuzz.cli.streams import complain
from stage2fuzz.cli.tables import Table
from stage2fuzz.session.summary import Summary

if TYPE_CHECKING:
    from stage2fuzz.findings.models import Finding

_ORDER: Final = {"correctness": 0, "progress": 1, "economy": 2}


def conclude(
    summary: Summary, database: str, as_json: bool, more: Mapping[str, object] | None = None
) -> NoReturn:
    """``show``, and end the command as the summary deserves."""
    show(summary, database, as_json, more)
    raise typer.Exit(summary.exit_code)


def show(
    summary: Summary, database: str, as_json: bool, more: Mapping[str, object] | None = None
) -> None:
    """Say what was done and found, and what is missing; ``more`` joins the JSON record."""
    if as_json:
        found = [found_record(each) for each in summary.findings]
        emit({**summary.to_record(), "findings": found, **(more or {})})
    else:
        say(summary.heading())
        show_found(summary.findings, database)
        for line in summary.missing:
            complain(f"stage2fuzz: inconclusive: {plain(line)}")


def show_found(found: "Sequence[Finding]", database: str) -> None:
    """The findings, news and the gravest first, and what to do with the first."""
    if not found:
        return
    ordered = sorted(
        found, key=lambda each: (bool(each.known), _ORDER.get(each.category, 3), each.id)
    )
    rows = Table("finding", "category", "oracle", "verdict", fold=True, head=False)
    for faces in by_cause(ordered):
        oracles = " ".join(dict.fromkeys(each.oracle for each in faces))
        rows.add(f"#{numbers(faces)}", faces[0].category, oracles, told(faces))
    rows.show()
    steps = {
        f"replay {ordered[0].id}": "the interleaving, step by step",
        f"findings show {ordered[0].id}": "its history and its reproducer",
    }
    commands = {hint(step, database): why for step, why in steps.items()}
    room = max(map(len, commands))
    for number, (command, why) in enumerate(commands.items()):
        print(f"{'     ' if number else 'next:'} {command:<{room}}  {why}")


def found_record(each: "Finding") -> dict[str, object]:
    """One finding as ``--json`` of a session names it."""
    names = ("id", "engine", "oracle", "category", "signature", "verdict", "state", "minimised")
    return {name: getattr(each, name) for name in (*names, "cause", "known")}
