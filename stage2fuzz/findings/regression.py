"""On which engines a finding shows: where it was first seen, and where it is gone."""

from collections.abc import Sequence, Set

from sqlalchemy import Connection, update

from stage2fuzz.findings.clock import now
from stage2fuzz.findings.database import insert_or_not
from stage2fuzz.findings.history import expect
from stage2fuzz.findings.models import Finding, Regression
from stage2fuzz.findings.states import Presence


def note_presence(
    connection: Connection,
    number: int,
    engines: Sequence[str],
    present: Set[str],
    absent: Set[str],
) -> None:
    """Keep on which of ``engines`` (all that were tried, oldest first) the fault shows.

    ``first_seen_in`` becomes the first that shows it, ``fixed_in`` the first after the last one
    that shows it where it is gone. Raises InputError where there is no finding ``number``.
    """
    outcomes = {engine: _presence(engine, present, absent) for engine in engines}
    shown = [i for i, engine in enumerate(engines) if outcomes[engine] is Presence.PRESENT]
    after = engines[shown[-1] + 1 :] if shown else ()
    fixed = next((engine for engine in after if outcomes[engine] is Presence.ABSENT), "")
    changed = update(Finding).where(Finding.id == number)
    changed = changed.values(first_seen_in=engines[shown[0]] if shown else "", fixed_in=fixed)
    expect(connection.execute(changed).rowcount, number)
    for position, engine in enumerate(engines):
        values = {"position": position, "outcome": outcomes[engine], "checked": now()}
        statement = insert_or_not(connection, Regression).values(
            finding_id=number, engine=engine, **values
        )
        key = [Regression.finding_id, Regression.engine]
        connection.execute(statement.on_conflict_do_update(index_elements=key, set_=values))


def _presence(engine: str, present: Set[str], absent: Set[str]) -> Presence:
    if engine in absent:
        return Presence.ABSENT
    return Presence.PRESENT if engine in present else Presence.UNKNOWN
