"""The small steps that every change of a finding is made of."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Connection, insert, select, update

from stage2fuzz.errors import InputError
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.models import Finding, Note
from stage2fuzz.findings.states import State

T = TypeVar("T")


def expect(found: T | None, number: int) -> T:
    """What was found of finding ``number``: a row, or how many rows changed; or an InputError."""
    if not found:
        raise InputError(f"finding {number}", "there is none", "see: stage2fuzz findings list")
    return found


def move(connection: Connection, number: int, to: State, sources: Sequence[State]) -> bool:
    """Move a finding on; False where it already stands elsewhere."""
    statement = update(Finding).where(Finding.id == number, Finding.state.in_(sources))
    return connection.execute(statement.values(state=to)).rowcount == 1


def add_note(connection: Connection, number: int, words: str) -> None:
    """Add a line of history under the state that the finding is in now."""
    state = select(Finding.state).where(Finding.id == number).scalar_subquery()
    connection.execute(insert(Note).values(finding_id=number, at=now(), state=state, text=words))
