"""What a session or a campaign found, and the commands to type next."""

from collections.abc import Sequence
from typing import Final

from stage2fuzz.cli.program import hint
from stage2fuzz.cli.tables import Table
from stage2fuzz.findings.models import Finding

_ORDER: Final = {"correctness": 0, "progress": 1, "economy": 2}


def show_found(found: Sequence[Finding], database: str) -> None:
    """The findings, the gravest first, and what to do with the first."""
    if not found:
        return
    ordered = sorted(found, key=lambda each: (_ORDER.get(each.category, 3), each.id))
    rows = Table("finding", "category", "oracle", "verdict", fold=True, head=False)
    for each in ordered:
        rows.add(f"#{each.id}", each.category, each.oracle, each.verdict)
    rows.show()
    steps = {
        f"replay {ordered[0].id}": "the interleaving, step by step",
        f"findings show {ordered[0].id}": "its history and its reproducer",
    }
    commands = {hint(step, database): why for step, why in steps.items()}
    room = max(map(len, commands))
    for number, (command, why) in enumerate(commands.items()):
        print(f"{'     ' if number else 'next:'} {command:<{room}}  {why}")


def found_record(each: Finding) -> dict[str, object]:
    """One finding as ``--json`` of a session names it."""
    names = ("id", "engine", "oracle", "category", "signature", "verdict", "state", "minimised")
    return {name: getattr(each, name) for name in names}
