"""Noting that a case showed a fault: a new finding, or one more sighting of a known one."""

import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select, update

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case
from stage2fuzz.errors import InputError
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.database import insert_or_not
from stage2fuzz.findings.examples import forget_examples, note_example
from stage2fuzz.findings.history import add_note, move
from stage2fuzz.findings.models import MAX_SIGNATURE, Finding
from stage2fuzz.findings.notices import forget_told
from stage2fuzz.findings.states import State
from stage2fuzz.known import known_of
from stage2fuzz.oracles.violation import Violation

MAX_TEXT: Final = 1 << 16
"""Characters of a verdict."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What recording did: the finding's number, and whether nobody had seen it before."""

    number: int
    new: bool
    reopened: tuple[int, ...] = ()
    """Findings that were called fixed here and are open again."""


def note_seen(
    connection: Connection, found: Case, violation: Violation, events: str, seen: int
) -> Receipt:
    """Note that ``found`` showed ``violation`` ``seen`` times. Raises InputError."""
    check_violation(violation)
    if seen < 0:
        raise InputError("finding", f"seen {seen} times", "0 or more")
    values = {
        "engine": found.engine,
        "signature": violation.signature,
        "oracle": violation.oracle,
        "rule": violation.rule,
        "category": str(violation.category),
        "verdict": violation.verdict,
        **_told(found.engine, violation),
        "case_text": format_case(found),
        "build": found.build,
        "events": events,
        "state": State.NEW,
        "count": seen,
        "first_seen": now(),
        "last_seen": now(),
    }
    again: dict[str, Any] = {"count": Finding.count + seen, "last_seen": now()}
    again |= {name: value for name, value in _told(found.engine, violation).items() if value}
    columns = (Finding.id, Finding.count, Finding.build)
    key = (Finding.engine == found.engine, Finding.signature == violation.signature)
    # PostgreSQL uses up a number for an insert that conflicts, so a known finding is updated first.
    known = update(Finding).where(*key).values(again).returning(*columns)
    row = connection.execute(known).one_or_none()
    if row is None:
        insert = insert_or_not(connection, Finding).values(values)
        insert = insert.on_conflict_do_update(
            index_elements=[Finding.engine, Finding.signature], set_=again
        )
        row = connection.execute(insert.returning(*columns)).one()
    number, count, build = row
    if found.build not in (build, ""):
        replace_case(connection, number, found, events)
    elif count != seen:
        note_example(connection, number, found)
    reopened = _reopen(connection, found, violation.signature)
    return Receipt(number, count == seen, reopened)


def check_violation(violation: Violation) -> None:
    """Refuse what no database of ours can store, or what is no short text. Raises InputError."""
    limits = {"signature": MAX_SIGNATURE, "oracle": 16, "rule": 120, "verdict": MAX_TEXT}
    for name, limit in limits.items():
        text = str(getattr(violation, name))
        if not 1 <= len(text) <= limit:
            raise InputError("finding", f"a {name} of {len(text)} characters", f"1 to {limit}")
        if not _storable(text):
            raise InputError("finding", f"its {name} {text[:60]!r} is no text", "Unicode text")


def _storable(text: str) -> bool:
    """PostgreSQL stores no zero character, and nobody half a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _told(engine: str, violation: Violation) -> dict[str, str]:
    """Cause, known cause and place, where the reporter knew them."""
    cause = violation.cause
    return {
        "cause": cause,
        "known": known_of(engine, cause) if cause else "",
        "source": json.dumps(violation.source) if violation.source else "",
    }


def replace_case(connection: Connection, number: int, found: Case, events: str) -> None:
    """Another build shows the fault: its case takes the place of the old build's cases.

    What was earned by running those has to be earned again; what a person decided stays.
    """
    where = Finding.id == number
    before = connection.execute(select(Finding.build).where(where)).scalar_one()
    values = {"build": found.build, "case_text": format_case(found), "events": events}
    fresh = {"minimised": "", "attempts": 0, "confirmations": 0}
    connection.execute(update(Finding).where(where).values(values | fresh))
    forget_examples(connection, number)
    move(connection, number, State.NEW, (State.CONFIRMED, State.MINIMISED))
    add_note(
        connection,
        number,
        f"seen with {named_build(found.build)}, before with {named_build(before)}",
    )


def named_build(build: str) -> str:
    """A build as the notes of a finding's history name it."""
    return f"build {build}" if build else "a build that nobody noted"


def _reopen(connection: Connection, found: Case, signature: str) -> tuple[int, ...]:
    """Open what was called fixed in this engine and is seen there again.

    A finding of v5.10 that is fixed in v5.12 stays fixed however often v5.10 shows it. A tree keeps
    its name when it changes, so the note says which build it was: the one without the fix, if
    somebody still runs that, is for a person to tell.
    """
    rows = connection.execute(
        update(Finding)
        .where(
            Finding.signature == signature,
            Finding.state == State.FIXED,
            Finding.fixed_in == found.engine,
        )
        .values(state=State.NEW, reopened=Finding.reopened + 1, fixed_in="")
        .returning(Finding.id)
    )
    numbers = tuple(sorted(row.id for row in rows))
    if numbers:
        forget_told(connection, numbers)
    build = f" ({named_build(found.build)})" if found.build else ""
    for number in numbers:
        add_note(connection, number, f"seen again in {found.engine}{build}, where it was fixed")
    return numbers
