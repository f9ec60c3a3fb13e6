"""Triage: what people decide about a finding, and what a decision must come with.

The machine earns ``confirmed`` and ``minimised`` by running cases; ``triaged``, ``fixed``,
``duplicate`` and ``invalid`` are opinions, so each is kept with the note that came with it.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select, update

from stage2fuzz.case.limits import check_engine
from stage2fuzz.errors import InputError
from stage2fuzz.findings.history import add_note, expect
from stage2fuzz.findings.models import MAX_LABEL, MAX_NOTE, Finding
from stage2fuzz.findings.states import CLOSED, State

TRIAGE: Final = (State.TRIAGED, *CLOSED)
"""The states that a person chooses; the others are earned."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision; what is None stays as it is."""

    state: State | None = None
    note: str = ""
    owner: str | None = None
    label: str | None = None
    duplicate_of: int | None = None
    fixed_in: str = ""


def decide(connection: Connection, number: int, decision: Decision) -> None:
    """Write a decision and its note; InputError where it lacks something."""
    where = f"finding {number}"
    _check_words(where, "note", decision.note, MAX_NOTE)
    _check_words(where, "owner", decision.owner or "", MAX_LABEL)
    _check_words(where, "label", decision.label or "", MAX_LABEL)
    row = connection.execute(
        select(Finding.state, Finding.duplicate_of, Finding.fixed_in).where(Finding.id == number)
    ).one_or_none()
    row = expect(row, number)
    state = _state(decision, State(row.state))
    if state not in TRIAGE:
        raise InputError(where, f"state {state} is earned", "one of " + ", ".join(TRIAGE))
    values: dict[str, Any] = {"state": state, "duplicate_of": None}
    if state is State.DUPLICATE:
        original = decision.duplicate_of or row.duplicate_of
        values["duplicate_of"] = _original(connection, number, original)
    if state is State.FIXED:
        values["fixed_in"] = decision.fixed_in or row.fixed_in
        if not values["fixed_in"]:
            raise InputError(where, "fixed in no engine", "name an engine without the fault")
        check_engine(values["fixed_in"], where)
    if decision.owner is not None:
        values["owner"] = decision.owner
    if decision.label is not None:
        values["label"] = decision.label
    connection.execute(update(Finding).where(Finding.id == number).values(**values))
    add_note(connection, number, _words(decision, values))


def _words(decision: Decision, values: dict[str, Any]) -> str:
    """What the history says of a decision: what changed, then the person's own words."""
    names = {"fixed_in": "in", "duplicate_of": "of", "owner": "owner", "label": "label"}
    told = [f"{word} {values[name]}" for name, word in names.items() if values.get(name)]
    return "; ".join(filter(None, (", ".join(told), decision.note)))


def _state(decision: Decision, before: State) -> State:
    """The state that a decision asks for, said or implied."""
    if decision.state is not None:
        return decision.state
    if decision.duplicate_of is not None:
        return State.DUPLICATE
    if decision.fixed_in:
        return State.FIXED
    return before if before in CLOSED else State.TRIAGED


def _original(connection: Connection, number: int, original: int | None) -> int:
    """The finding that another is a duplicate of: never itself, never a duplicate."""
    where = f"finding {number}"
    if original is None:
        raise InputError(where, "duplicate of nothing", "give the number of the other finding")
    row = expect(
        connection.execute(
            select(Finding.id, Finding.duplicate_of).where(Finding.id == original)
        ).one_or_none(),
        original,
    )
    if original == number:
        raise InputError(where, "duplicate of itself", "give the number of the other finding")
    if row.duplicate_of is not None:
        right = f"that is {row.duplicate_of}"
        raise InputError(
            where, f"finding {original} is a duplicate itself; name its original", right
        )
    return original


def _check_words(where: str, name: str, words: str, limit: int) -> None:
    if len(words) > limit:
        raise InputError(where, f"a {name} of {len(words)} characters", f"at most {limit}")
    if "\0" in words:
        raise InputError(where, f"the {name} has a zero character", "plain text")
