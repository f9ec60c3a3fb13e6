"""The lease protocol: claim, heartbeat, commit, fail, sweep, each one conditional update.

A message of the broker only says "look at lease 7". Whoever wins the claim gets the order, an
epoch and a deadline in database time; every later write names the epoch and changes nothing where
it is no longer the current one. So a lost message costs a delay, a doubled one a query, and a
worker that comes back from the dead can't write over its successor.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    exists,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine

from stage2fuzz.findings.campaign_tables import (
    ACTIVE,
    COMMITTED,
    LEASED,
    NEW,
    POISONED,
    READY,
    STOPPED,
    campaign,
    corpus,
    lease,
    result,
)
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.database import READS
from stage2fuzz.orders import Result, to_json

LEASE_SECONDS: Final = 30.0
"""How long a claim lasts without a heartbeat; workers beat every third of it."""
MAX_ATTEMPTS: Final = 3
"""Claims of one order before it is set aside as poisoned."""
MAX_INPUT_BYTES: Final = 1 << 16
MAX_INPUTS: Final = 4096
"""New corpus inputs one order may hand in; a worker sends the smallest ones."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lease in hand: what to do, and the epoch that proves the right to write about it."""

    lease: int
    campaign: int
    kind: str
    body: str
    epoch: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Input:
    """A corpus input that a worker hands in, with the features it measured."""

    engine: str
    target: str
    digest: str
    data: bytes
    features: bytes


def _active(states: tuple[str, ...] = ACTIVE) -> ColumnElement[bool]:
    return exists().where(campaign.c.id == lease.c.campaign_id, campaign.c.state.in_(states))


def _overdue(length: float) -> ColumnElement[bool]:
    """Past its deadline, or so far ahead of it that the database's clock has been put back."""
    return and_(
        lease.c.state == LEASED,
        or_(lease.c.deadline < now(), lease.c.deadline > now() + literal(2 * length)),
    )


def claim(
    engine: Engine, number: int, campaign_id: int, owner: str, length: float = LEASE_SECONDS
) -> Held | None:
    """Take a lease that is free or overdue; None where somebody else has it or nobody should."""
    statement = (
        update(lease)
        .where(
            lease.c.id == number,
            lease.c.campaign_id == campaign_id,
            or_(lease.c.state == READY, _overdue(length)),
            lease.c.attempts < MAX_ATTEMPTS,
            _active(),
        )
        .values(
            state=LEASED,
            owner=owner,
            epoch=lease.c.epoch + 1,
            attempts=lease.c.attempts + 1,
            deadline=now() + literal(length),
        )
        .returning(lease.c.kind, lease.c.body, lease.c.epoch, lease.c.attempts)
    )
    with engine.begin() as connection:
        row = connection.execute(statement).one_or_none()
    return None if row is None else Held(number, campaign_id, *row)


def _current(held: Held) -> ColumnElement[bool]:
    """Still ours: nobody claimed it since. An expired lease that nobody took is still ours."""
    return and_(
        lease.c.id == held.lease, lease.c.epoch == held.epoch, lease.c.state.in_((LEASED, READY))
    )


def heartbeat(engine: Engine, held: Held, length: float = LEASE_SECONDS) -> bool:
    """Extend the deadline; False means: stop working, the lease or the campaign is gone."""
    statement = (
        update(lease)
        .where(_current(held), ~_active((STOPPED,)))
        .values(state=LEASED, deadline=now() + literal(length))
    )
    with engine.begin() as connection:
        return connection.execute(statement).rowcount == 1


def commit(connection: Connection, held: Held, outcome: Result, inputs: Iterable[Input]) -> bool:
    """Write the result once, in the caller's transaction; False where the lease is lost."""
    closed = connection.execute(update(lease).where(_current(held)).values(state=COMMITTED))
    if closed.rowcount != 1:
        return False
    connection.execute(
        insert(result).values(
            lease_id=held.lease,
            campaign_id=held.campaign,
            body=to_json(outcome),
            committed=now(),
            merged=False,
        )
    )
    rows = [
        {
            "campaign_id": held.campaign,
            "engine": one.engine,
            "target": one.target,
            "digest": one.digest,
            "data": one.data,
            "features": one.features,
            "state": NEW,
        }
        for one in inputs
    ]
    if rows:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        connection.execute(dialect.insert(corpus).on_conflict_do_nothing(), rows)
    return True


def fail(engine: Engine, held: Held, what: str) -> bool:
    """Give a lease back after a failed attempt; the last attempt poisons it."""
    statement = (
        update(lease)
        .where(_current(held))
        .values(state=_after_failure(), failure=what[:2000], announced=0.0)
    )
    with engine.begin() as connection:
        return connection.execute(statement).rowcount == 1


def release(engine: Engine, held: Held, why: str) -> bool:
    """Give a lease back that this worker can't serve now (a full disk): costs no attempt."""
    statement = (
        update(lease)
        .where(_current(held))
        .values(state=READY, failure=why[:2000], attempts=lease.c.attempts - 1)
    )
    with engine.begin() as connection:
        return connection.execute(statement).rowcount == 1


def _after_failure() -> ColumnElement[str]:
    return case((lease.c.attempts >= MAX_ATTEMPTS, POISONED), else_=READY)


def sweep(connection: Connection, campaign_id: int, length: float = LEASE_SECONDS) -> int:
    """Free the leases whose worker went silent; returns how many there were."""
    statement = (
        update(lease)
        .where(lease.c.campaign_id == campaign_id, _overdue(length))
        .values(state=_after_failure(), failure="the worker went silent", announced=0.0)
    )
    return connection.execute(statement).rowcount


def unannounced(
    engine: Engine, campaign_id: int, again: float, limit: int
) -> list[tuple[int, str]]:
    """Ready leases that no message names, or none of the last ``again`` seconds: (id, kind)."""
    statement = (
        select(lease.c.id, lease.c.kind)
        .where(
            lease.c.campaign_id == campaign_id,
            lease.c.state == READY,
            or_(
                lease.c.announced < now() - literal(again),
                lease.c.announced > now() + literal(again),
            ),
            _active(),
        )
        .order_by(lease.c.id)
        .limit(limit)
    )
    with engine.connect().execution_options(**{READS: True}) as connection:
        return [(row.id, row.kind) for row in connection.execute(statement)]


def announced(engine: Engine, numbers: list[int]) -> None:
    """Note that the broker took a message for these leases."""
    if numbers:
        with engine.begin() as connection:
            connection.execute(update(lease).where(lease.c.id.in_(numbers)).values(announced=now()))
