"""stage2fuzz findings: list, show, triage, export."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stage2fuzz.case.limits import check_engine
from stage2fuzz.cli.causes import by_cause, numbers, told
from stage2fuzz.cli.options import DEFAULT_DATABASE, MAX_NUMBER, Database, Json
from stage2fuzz.cli.output import emit, iso, say, write
from stage2fuzz.cli.program import shown
from stage2fuzz.cli.stores import open_store
from stage2fuzz.cli.tables import Table
from stage2fuzz.engine import engine_of, kind_of
from stage2fuzz.errors import InputError
from stage2fuzz.findings.states import State
from stage2fuzz.oracles.violation import Category
from stage2fuzz.source import SourceLine, read_stack, route

if TYPE_CHECKING:
    from stage2fuzz.findings.models import Finding

COLUMNS = (
    "id",
    "engine",
    "build",
    "oracle",
    "rule",
    "category",
    "signature",
    "cause",
    "known",
    "source",
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
    "introduced_by",
    "fixed_by",
    "duplicate_of",
    "case_text",
    "minimised",
)
REAL_COLUMNS = ("kernel", "answer", "confirmed", "refuted", "missed")
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
    faces: Annotated[
        bool, typer.Option("--faces", help="A line for each finding, not for each cause.")
    ] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """List the findings, a line for each cause."""
    states = [_state(name) for name in state or ()]
    if engine:
        check_engine(engine, "--engine")
    if oracle:
        from stage2fuzz.oracles.catalogue import CATALOGUE

        _among("oracle", oracle, sorted({row[0] for row in CATALOGUE}))
    _among("category", category, list(Category))
    with open_store(database) as store:
        found = store.list(states, engine, oracle, category)
        hidden = store.count() - len(found)
    if as_json:
        emit([_record(each) for each in found])
        return
    tried = ("real",) if any(each.real for each in found) else ()
    rows = Table("id", "state", "engine", "oracle", "seen", *tried, "verdict", fold=True)
    for group in ([each] for each in found) if faces else by_cause(found):
        states_of = " ".join(dict.fromkeys(each.state for each in group))
        oracles = " ".join(dict.fromkeys(each.oracle for each in group))
        seen = f"{sum(each.count for each in group):,}"
        best = dict.fromkeys(filter(None, map(_best, group)))
        real = (" ".join(best),) if tried else ()
        rows.add(numbers(group), states_of, group[0].engine, oracles, seen, *real, told(group))
    if found:
        rows.show()
    if hidden:
        others = "others do" if hidden > 1 else "other does"
        say(f"{len(found)} findings are as asked; {hidden} {others} not match")
    elif not found:
        say(f"no findings in {shown(database)}")


def show(
    number: Number,
    events: Annotated[bool, typer.Option("--events", help="Print its event log too.")] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Show one finding: verdict, history, reproducer."""
    with open_store(database) as store:
        found = store.get(number)
    if as_json:
        history = [
            {"at": iso(note.at), "state": note.state, "note": note.text} for note in found.notes
        ]
        more = {"events": found.events.splitlines()} if events else {}
        emit(_record(found) | {"history": history} | more)
        return
    say(f"#{found.id} {found.verdict}")
    rows = {
        "engine": found.engine,
        "build": found.build,
        "oracle": f"{found.oracle} {found.rule} ({found.category})",
        "signature": found.signature,
        "cause": found.cause,
        "known as": found.known,
        "at": route(read_stack(json.loads(found.source))) if found.source else "",
        "state": found.state,
        "seen": f"{found.count} times, {_when(found.first_seen)} to {_when(found.last_seen)}",
        "confirmed": f"{found.confirmations} of {found.attempts} clean runs",
        "first seen in": found.first_seen_in,
        "fixed in": found.fixed_in,
        "introduced by": found.introduced_by,
        "fixed by": found.fixed_by,
        "owner": found.owner,
        "label": found.label,
    }
    for name, value in rows.items():
        if value:
            say(f"  {name:<14}{value}", indent=" " * 16)
    if found.examples:
        names = ", ".join(f"{found.id}.{n}" for n in range(1, len(found.examples) + 1))
        say(f"  {'examples':<14}{names}: other interleavings, for replay and report")
    for real in found.real:
        from stage2fuzz.findings.real import in_words

        say(f"  {'real kernel':<14}{in_words(real)}, {_when(real.at)}", indent=" " * 16)
    print()
    for note in found.notes:
        said = "" if note.text in ("", note.state) else f": {note.text}"
        say(f"  {_when(note.at)}  {note.state}{said}", indent=" " * 23)
    print("\nminimised reproducer:" if found.minimised else "\nreproducer, not minimised yet:")
    print(found.reproducer)
    if events:
        print(found.events)


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
    if fixed_in:
        check_engine(fixed_in, "--fixed-in")
        if kind_of(fixed_in).everywhere:
            engine_of(fixed_in)
    with open_store(database) as store:
        store.triage(number, chosen, note, owner, label, duplicate_of, fixed_in)
        found = store.get(number)
    print(f"#{found.id} is {found.state}")


def export(
    folder: Annotated[Path, typer.Argument(help="Folder for one case file a finding.")],
    state: Annotated[
        list[str] | None, typer.Option(help="Only this state; again for more.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Write every finding's reproducer as a case file."""
    states = [_state(name) for name in state or ()]
    with open_store(database) as store:
        found = store.list(states)
    for each in found:
        write(folder / f"finding-{each.id}.case", each.reproducer)
    say(f"{len(found)} cases in {folder}")


def _best(found: "Finding") -> str:
    """What real kernels said, in a word: one that confirms it decides."""
    answers = {each.answer for each in found.real}
    return next((each for each in ("confirmed", "refuted", "not reached") if each in answers), "")


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


def _record(found: "Finding") -> dict[str, object]:
    record = {name: getattr(found, name) for name in COLUMNS}
    stack = json.loads(found.source) if found.source else []
    record["source"] = [SourceLine(*each).to_record() for each in stack]
    real = [
        {name: getattr(each, name) for name in REAL_COLUMNS} | {"at": iso(each.at)}
        for each in found.real
    ]
    return (
        record | {name: iso(record[name]) for name in ("first_seen", "last_seen")} | {"real": real}
    )
