"""Store: the one door to the findings, for the command line, the coordinator and the web page.

Recording is idempotent: a fault that is seen again is a counter and a date, never a second row,
whoever records it and however many at once; the database's ON CONFLICT decides and not a look
before the write. A method that changes something takes ``within``, an open transaction of the
caller, so that a worker's lease and what it found are committed together or not at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case
from stage2fuzz.errors import InputError
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.database import READS, open_database, reason
from stage2fuzz.findings.history import add_note, expect, move
from stage2fuzz.findings.models import MAX_SIGNATURE, Base, Finding, Regression, State
from stage2fuzz.findings.triage import Decision, decide
from stage2fuzz.oracles.violation import Violation


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording did: the finding's number, and whether nobody had seen it before."""

    number: int
    new: bool
    reopened: tuple[int, ...] = ()
    """Findings that were called fixed here and are open again."""


class Store:
    """The findings of one database."""

    def __init__(self, engine: Engine) -> None:
        """``engine`` comes from ``open_database``; use ``Store.open`` otherwise."""
        self.engine = engine

    @classmethod
    def open(cls, url: str) -> "Store":
        """Open or create a database (a URL, or the path of a SQLite file); InputError if not."""
        return cls(open_database(url))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def record(
        self,
        found: Case,
        violation: Violation,
        events: str,
        seen: int = 1,
        within: Connection | None = None,
    ) -> Recorded:
        """Note that ``found`` showed ``violation`` ``seen`` times; ``events`` is its event log.

        The first case stays the finding's case, until another build of the engine shows the fault:
        whoever reads the finding then has that build and not the old one. Transactions that record
        several findings do so in the order of their signatures, or two of them could wait for one
        another.
        """
        signature = violation.signature
        if not 1 <= len(signature) <= MAX_SIGNATURE or seen < 1:
            raise InputError("finding", f"signature {signature[:60]!r}", "1 to 1000 characters")
        values = {
            "engine": found.engine,
            "signature": signature,
            "oracle": violation.oracle,
            "rule": violation.rule,
            "category": str(violation.category),
            "verdict": violation.verdict,
            "case_text": format_case(found),
            "build": found.build,
            "events": events,
            "state": State.NEW,
            "count": seen,
            "first_seen": now(),
            "last_seen": now(),
        }
        with self._transaction(within) as connection:
            statement = _insert(connection, Finding).values(values)
            statement = statement.on_conflict_do_update(
                index_elements=[Finding.engine, Finding.signature],
                set_={"count": Finding.count + seen, "last_seen": now()},
            )
            returned = statement.returning(Finding.id, Finding.count, Finding.build)
            number, count, build = connection.execute(returned).one()
            if found.build not in (build, ""):
                _replace_case(connection, number, found, events)
            reopened = _reopen(connection, found, signature)
            return Recorded(number, count == seen, reopened)

    def confirm(
        self,
        number: int,
        hits: int,
        attempts: int,
        within: Connection | None = None,
        build: str = "",
    ) -> None:
        """Add runs from scratch in a clean process, ``hits`` of which showed the same signature.

        Runs of another build than the case's own prove nothing about the case: it follows another
        schedule there, in code that may no longer have the fault. They are noted and not counted.
        """
        if not 0 <= hits <= attempts:
            raise InputError(f"finding {number}", f"{hits} hits of {attempts} attempts")
        with self._transaction(within) as connection:
            own = select(Finding.id, Finding.build).where(Finding.id == number)
            if expect(connection.execute(own).one_or_none(), number).build not in (build, ""):
                seen = "seen" if hits else "not seen"
                add_note(connection, number, f"{seen} with {_named(build)}")
                return
            changed = update(Finding).where(Finding.id == number)
            changed = changed.values(
                attempts=Finding.attempts + attempts, confirmations=Finding.confirmations + hits
            )
            expect(connection.execute(changed).rowcount, number)
            if not hits:
                add_note(connection, number, f"did not reproduce in {attempts} clean runs")
            elif move(connection, number, State.CONFIRMED, (State.NEW,)):
                add_note(connection, number, f"reproduced in {hits} of {attempts} clean runs")

    def attach_minimised(
        self, number: int, smaller: Case, within: Connection | None = None
    ) -> None:
        """Keep the smallest reproducer; a longer one than there is changes nothing."""
        text = format_case(smaller)
        with self._transaction(within) as connection:
            row = connection.execute(
                select(Finding.engine, Finding.build, Finding.minimised).where(Finding.id == number)
            ).one_or_none()
            row = expect(row, number)
            if row.engine != smaller.engine:
                raise InputError(f"finding {number}", f"a case of {smaller.engine}", row.engine)
            if row.build != smaller.build:
                _replace_case(connection, number, smaller, "")
            elif row.minimised and len(row.minimised) <= len(text):
                return
            connection.execute(update(Finding).where(Finding.id == number).values(minimised=text))
            if move(connection, number, State.MINIMISED, (State.NEW, State.CONFIRMED)):
                add_note(connection, number, "minimised")

    def regressed(
        self,
        number: int,
        engines: Sequence[str],
        present: Iterable[str],
        absent: Iterable[str],
        within: Connection | None = None,
    ) -> None:
        """Keep on which of ``engines`` (all that were tried, oldest first) the fault shows.

        Sets ``first_seen_in`` to the first that shows it, ``fixed_in`` to the first after the
        last one that shows it where it is gone; an engine that could not say decides nothing.
        """
        outcomes = dict.fromkeys(engines, "unknown")
        outcomes |= dict.fromkeys(present, "present") | dict.fromkeys(absent, "absent")
        shown = [i for i, engine in enumerate(engines) if outcomes[engine] == "present"]
        after = engines[shown[-1] + 1 :] if shown else ()
        fixed = next((engine for engine in after if outcomes[engine] == "absent"), "")
        with self._transaction(within) as connection:
            changed = update(Finding).where(Finding.id == number)
            changed = changed.values(
                first_seen_in=engines[shown[0]] if shown else "", fixed_in=fixed
            )
            expect(connection.execute(changed).rowcount, number)
            for position, engine in enumerate(engines):
                statement = _insert(connection, Regression).values(
                    finding_id=number,
                    engine=engine,
                    position=position,
                    outcome=outcomes[engine],
                    checked=now(),
                )
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=[Regression.finding_id, Regression.engine],
                        set_={
                            "position": position,
                            "outcome": outcomes[engine],
                            "checked": now(),
                        },
                    )
                )

    def triage(
        self,
        number: int,
        state: State | None = None,
        note: str = "",
        owner: str | None = None,
        label: str | None = None,
        duplicate_of: int | None = None,
        fixed_in: str = "",
    ) -> None:
        """What a person decided; with no state given, ``triaged`` unless the finding is closed.

        ``duplicate`` needs the number of the other finding, ``fixed`` the engine without the
        fault (the one that the regress task found, unless another is named).
        """
        decision = Decision(state, note, owner, label, duplicate_of, fixed_in)
        with self._transaction(None) as connection:
            decide(connection, number, decision)

    def list(
        self,
        states: Iterable[State] = (),
        engine: str = "",
        oracle: str = "",
        category: str = "",
        limit: int = 1000,
    ) -> list[Finding]:
        """Findings by number, restricted by what is given."""
        query = select(Finding).order_by(Finding.id).limit(limit)
        if wanted := list(states):
            query = query.where(Finding.state.in_(wanted))
        if engine:
            query = query.where(Finding.engine == engine)
        if oracle:
            query = query.where(Finding.oracle == oracle)
        if category:
            query = query.where(Finding.category == category)
        with self._reading() as session:
            return list(session.scalars(query))

    def get(self, number: int) -> Finding:
        """One finding; InputError where there is none of this number."""
        with self._reading() as session:
            return expect(session.get(Finding, number), number)

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        """A session of one consistent look; what it loads stays readable afterwards."""
        try:
            with (
                self.engine.connect().execution_options(**{READS: True}) as connection,
                Session(connection, expire_on_commit=False) as session,
            ):
                yield session
        except DBAPIError as error:
            raise self._trouble(error) from None

    @contextmanager
    def _transaction(self, within: Connection | None) -> Iterator[Connection]:
        """The caller's transaction, or one of our own whose trouble is an InputError."""
        if within is not None:
            yield within
            return
        try:
            with self.engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise self._trouble(error) from None

    def _trouble(self, error: DBAPIError) -> InputError:
        where = self.engine.url.render_as_string(hide_password=True)
        return InputError(where, f"the database failed ({reason(error)})")


def _insert(connection: Connection, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """An insert that knows ON CONFLICT, which each database spells for itself."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def _replace_case(connection: Connection, number: int, found: Case, events: str) -> None:
    """Another build shows the fault: its case takes the place of the old build's cases.

    What was earned by running those has to be earned again; what a person decided stays.
    """
    where = Finding.id == number
    before = connection.execute(select(Finding.build).where(where)).scalar_one()
    values = {"build": found.build, "case_text": format_case(found), "events": events}
    fresh = {"minimised": "", "attempts": 0, "confirmations": 0}
    connection.execute(update(Finding).where(where).values(values | fresh))
    move(connection, number, State.NEW, (State.CONFIRMED, State.MINIMISED))
    add_note(connection, number, f"seen with {_named(found.build)}, before with {_named(before)}")


def _named(build: str) -> str:
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
    build = f" ({_named(found.build)})" if found.build else ""
    for number in numbers:
        add_note(connection, number, f"seen again in {found.engine}{build}, where it was fixed")
    return numbers
