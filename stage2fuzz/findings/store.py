"""Store: the one door to the findings, for the command line, the coordinator and the web page.

Recording is idempotent: a fault that is seen again is a counter and a date, never a second row,
whoever records it and however many at once; the database's ON CONFLICT decides and not a look
before the write. A method that changes something takes ``within``, an open transaction of the
caller, so that a worker's lease and what it found are committed together or not at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.orm import Session

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case
from stage2fuzz.errors import InputError
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.database import answering, open_database, reading
from stage2fuzz.findings.history import add_note, expect, move
from stage2fuzz.findings.models import MAX_COMMIT, Finding
from stage2fuzz.findings.real import RealCounts, note_real
from stage2fuzz.findings.regression import note_presence
from stage2fuzz.findings.seen import Receipt, named_build, note_seen, replace_case
from stage2fuzz.findings.states import State
from stage2fuzz.findings.triage import Decision, decide
from stage2fuzz.oracles.violation import Violation


class Store:
    """The findings of one database."""

    def __init__(self, engine: Engine) -> None:
        """``engine`` comes from ``open_database``; use ``Store.open`` otherwise."""
        self.engine = engine

    @classmethod
    def open(cls, url: str, create: bool = True) -> "Store":
        """Open a database (a URL, or the path of a SQLite file), made first where ``create`` says.

        Raises InputError where it can't be used.
        """
        return cls(open_database(url, create))

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
    ) -> Receipt:
        """Note that ``found`` showed ``violation`` ``seen`` times; ``events`` is its event log.

        The first case stays the finding's case, until another build of the engine shows the fault:
        whoever reads the finding then has that build and not the old one. Transactions that record
        several findings do so in the order of their signatures, or two of them could wait for one
        another.
        """
        with self._transaction(within) as connection:
            return note_seen(connection, found, violation, events, seen)

    def count_seen(self, number: int, within: Connection) -> None:
        """Count one more sighting of a finding that ``record`` recorded with ``seen`` 0."""
        seen = update(Finding).where(Finding.id == number)
        within.execute(seen.values(count=Finding.count + 1, last_seen=now()))

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
                add_note(connection, number, f"{seen} with {named_build(build)}")
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
                replace_case(connection, number, smaller, "")
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
        with self._transaction(within) as connection:
            note_presence(connection, number, engines, set(present), set(absent))

    def tried_on_real(
        self, number: int, counts: RealCounts, within: Connection | None = None
    ) -> None:
        """Keep what a real kernel said when the finding's schedule was forced on it."""
        with self._transaction(within) as connection:
            note_real(connection, number, counts)

    def bisected(self, number: int, commit: str, fixed: bool) -> None:
        """Keep which commit brought a finding, or ``fixed`` it: a Fixes line and a date."""
        column = "fixed_by" if fixed else "introduced_by"
        commit = commit[:MAX_COMMIT]
        with self._transaction(None) as connection:
            changed = update(Finding).where(Finding.id == number).values({column: commit})
            expect(connection.execute(changed).rowcount, number)
            add_note(connection, number, f"{column.replace('_', ' ')} {commit}")

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
        limit: int | None = None,
    ) -> list[Finding]:
        """Findings by number, restricted by what is given; all of them without a ``limit``."""
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

    def count(self) -> int:
        """How many findings there are."""
        with self._reading() as session:
            return session.scalar(select(func.count()).select_from(Finding)) or 0

    def get(self, number: int) -> Finding:
        """One finding; InputError where there is none of this number."""
        with self._reading() as session:
            return expect(session.get(Finding, number), number)

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        """A session of one consistent look; what it loads stays readable afterwards."""
        with (
            answering(self.engine),
            reading(self.engine) as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session

    @contextmanager
    def _transaction(self, within: Connection | None) -> Iterator[Connection]:
        """The caller's transaction, or one of our own whose trouble is an InputError."""
        if within is not None:
            yield within
            return
        with answering(self.engine), self.engine.begin() as connection:
            yield connection
