"""stage2fuzz findings: list, show, triage, export."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stage2fuzz.case.limits import check_engine
from stage2fuzz.cli.options import DEFAULT_DATABASE, MAX_NUMBER, Database, Json
from stage2fuzz.cli.output import emit, write
from stage2fuzz.cli.terminal import console, table
from stage2fuzz.errors import InputError
from stage2fuzz.findings.models import Finding, State
from stage2fuzz.findings.store import Store
from stage2fuzz.oracles import CATALOGUE, Category

COLUMNS = (
    "id",
    "engine",
    "build",
    "oracle",
    "rule",
    "category",
    "signature",
    "verdict",
    "state",
    "label",
    "owner",
    "count",
    "first_seen",
    "last_seen",
    "attempts",
    "confirmations",
    "first_seen_in",
    "fixed_in",
    "duplicate_of",
    "case_text",
    "minimised",
)
Number = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=MAX_NUMBER, help="Number of the finding.")
]


def list_findings(
    state: Annotated[
        list[str] | None, typer.Option(help="Only this state; again for more.")
    ] = None,
    engine: Annotated[str, typer.Option(help="Only this engine.")] = "",
    oracle: Annotated[str, typer.Option(help="Only this oracle.")] = "",
    category: Annotated[str, typer.Option(help="correctness, progress or economy.")] = "",
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """List the findings, a line each."""
    states = [_state(name) for name in state or ()]
    if engine:
        check_engine(engine, "--engine")
    _among("oracle", oracle, sorted({row[0] for row in CATALOGUE}))
    _among("category", category, list(Category))
    with Store.open(database) as store:
        found = store.list(states, engine, oracle, category)
    if as_json:
        emit([_record(each) for each in found])
        return
    out = console()
    if not found:
        out.print(f"no findings in {store.engine.url.render_as_string(hide_password=True)}")
        return
    rows = table("id", "state", "engine", "oracle", "seen", "verdict", fold="verdict")
    for each in found:
        rows.add_row(
            str(each.id), each.state, each.engine, each.oracle, f"{each.count:,}", each.verdict
        )
    out.print(rows)


def show(
    number: Number,
    events: Annotated[bool, typer.Option("--events", help="Print its event log too.")] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Show one finding: verdict, history, reproducer."""
    with Store.open(database) as store:
        found = store.get(number)
    if as_json:
        emit(_record(found) | {"events": found.events.splitlines() if events else None})
        return
    out = console()
    out.print(f"[bold]#{found.id}[/] {found.verdict}")
    rows = {
        "engine": found.engine,
        "build": found.build,
        "oracle": f"{found.oracle} {found.rule} ({found.category})",
        "signature": found.signature,
        "state": found.state,
        "seen": f"{found.count} times, {_when(found.first_seen)} to {_when(found.last_seen)}",
        "confirmed": f"{found.confirmations} of {found.attempts} clean runs",
        "first seen in": found.first_seen_in,
        "fixed in": found.fixed_in,
        "owner": found.owner,
        "label": found.label,
    }
    for name, value in rows.items():
        if value:
            out.print(f"  {name:<14}{value}", markup=False)
    for note in found.notes:
        out.print(f"  {_when(note.at)}  {note.state}: {note.text}", markup=False)
    out.print("\nminimised reproducer:" if found.minimised else "\nreproducer, not minimised yet:")
    out.print(found.reproducer, markup=False)
    if events:
        out.print(found.events, markup=False)


def triage(
    number: Number,
    state: Annotated[str, typer.Option(help="triaged, fixed, duplicate or invalid.")] = "",
    note: Annotated[str, typer.Option(help="What you found out.")] = "",
    owner: Annotated[str | None, typer.Option(help="Who looks after it.")] = None,
    label: Annotated[str | None, typer.Option(help="A word to find it by.")] = None,
    duplicate_of: Annotated[
        int | None, typer.Option(min=1, max=MAX_NUMBER, help="Number of the other finding.")
    ] = None,
    fixed_in: Annotated[str, typer.Option(help="Engine in which it is gone.")] = "",
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Say what a person decided about a finding."""
    chosen = _state(state) if state else None
    with Store.open(database) as store:
        store.triage(number, chosen, note, owner, label, duplicate_of, fixed_in)
        found = store.get(number)
    console().print(f"#{found.id} is {found.state}")


def export(
    folder: Annotated[Path, typer.Argument(help="Folder for one case file a finding.")],
    state: Annotated[
        list[str] | None, typer.Option(help="Only this state; again for more.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Write every finding's reproducer as a case file."""
    states = [_state(name) for name in state or ()]
    with Store.open(database) as store:
        found = store.list(states)
    for each in found:
        write(folder / f"finding-{each.id}.case", each.reproducer)
    console().print(f"{len(found)} cases in {folder}")


def _state(name: str) -> State:
    try:
        return State(name)
    except ValueError:
        right = "one of " + ", ".join(State)
        raise InputError("--state", f"no state {name!r}", right) from None


def _among(option: str, value: str, known: list[str]) -> None:
    if value and value not in known:
        right = "one of " + ", ".join(known)
        raise InputError(f"--{option}", f"no {option} {value[:40]!r}", right)


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _record(found: Finding) -> dict[str, object]:
    return {name: getattr(found, name) for name in COLUMNS}
