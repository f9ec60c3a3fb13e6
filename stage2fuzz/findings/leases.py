"""The lease protocol: claim, heartbeat, commit, fail, sweep, each one conditional update.

A message of the broker only says "look at lease 7". Whoever wins the claim gets the order, an
epoch and a deadline in database time; every later write names the epoch and changes nothing where
it is no longer the current one. So a lost message costs a delay, a doubled one a query, and a
worker that comes back from the dead can't write over its successor.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Connection, Engine

from stage2fuzz.case.case import Case
from stage2fuzz.findings.campaign_tables import (
    campaign,
    corpus,
    lease,
    lease_report,
    result,
    sighting,
)
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.corpus import Corpus, Input
from stage2fuzz.findings.coverage import known
from stage2fuzz.findings.database import insert_or_not, reading
from stage2fuzz.findings.states import ACTIVE, OPEN, CampaignState, LeaseState
from stage2fuzz.findings.store import Store
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.service.orders import FuzzOrder, FuzzResult, PruneOrder, Result, to_json

LEASE_SECONDS: Final = 30.0
"""How long a claim lasts without a heartbeat; workers beat every third of it."""
MAX_ATTEMPTS: Final = 3
"""Claims of one order before it is set aside as poisoned."""
MAX_INPUT_BYTES: Final = 1 << 16
MAX_INPUTS: Final = 4096
"""New corpus inputs one order may hand in; a worker sends the smallest ones."""


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease in hand: what to do, and the epoch that proves the right to write about it."""

    lease: int
    campaign: int
    kind: str
    body: str
    epoch: int
    attempt: int


def in_campaign(states: tuple[CampaignState, ...] = ACTIVE) -> ColumnElement[bool]:
    """Whether a lease's campaign is in one of ``states``."""
    return exists().where(campaign.c.id == lease.c.campaign_id, campaign.c.state.in_(states))


def _overdue(length: float) -> ColumnElement[bool]:
    """Past its deadline, or so far ahead of it that the database's clock has been put back."""
    return and_(
        lease.c.state == LeaseState.LEASED,
        or_(lease.c.deadline < now(), lease.c.deadline > now() + literal(2 * length)),
    )


def claim(
    engine: Engine, number: int, campaign_id: int, owner: str, length: float = LEASE_SECONDS
) -> HeldLease | None:
    """Take a lease that is free or overdue; None where somebody else has it or nobody should."""
    statement = (
        update(lease)
        .where(
            lease.c.id == number,
            lease.c.campaign_id == campaign_id,
            or_(lease.c.state == LeaseState.READY, _overdue(length)),
            lease.c.attempts < MAX_ATTEMPTS,
            in_campaign(),
        )
        .values(
            state=LeaseState.LEASED,
            owner=owner,
            epoch=lease.c.epoch + 1,
            attempts=lease.c.attempts + 1,
            deadline=now() + literal(length),
        )
        .returning(lease.c.kind, lease.c.body, lease.c.epoch, lease.c.attempts)
    )
    with engine.begin() as connection:
        row = connection.execute(statement).one_or_none()
    return None if row is None else HeldLease(number, campaign_id, *row)


def _current(held: HeldLease) -> ColumnElement[bool]:
    """Still ours: nobody claimed it since. An expired lease that nobody took is still ours."""
    return and_(lease.c.id == held.lease, lease.c.epoch == held.epoch, lease.c.state.in_(OPEN))


def heartbeat(engine: Engine, held: HeldLease, length: float = LEASE_SECONDS) -> bool:
    """Extend the deadline; False means: stop working, the lease or the campaign is gone."""
    statement = (
        update(lease)
        .where(_current(held), ~in_campaign((CampaignState.STOPPED,)))
        .values(state=LeaseState.LEASED, deadline=now() + literal(length))
    )
    with engine.begin() as connection:
        return connection.execute(statement).rowcount == 1


def commit(
    connection: Connection, held: HeldLease, outcome: Result, inputs: Iterable[Input]
) -> bool:
    """Write the result once, in the caller's transaction; False where the lease is lost."""
    if not _close(connection, held, _current(held), outcome, merged=False):
        return False
    Corpus(connection, held.campaign).add(inputs)
    return True


def is_wanted(engine: Engine, held: HeldLease) -> bool:
    """Whether a lease is still ours and its campaign goes on; a look that changes nothing."""
    statement = select(lease.c.id).where(_current(held), ~in_campaign((CampaignState.STOPPED,)))
    with reading(engine) as connection:
        return connection.execute(statement).one_or_none() is not None


def cut_short(connection: Connection, held: HeldLease, outcome: FuzzResult) -> bool:
    """Count what a fuzz order did that was cancelled in our hands, once, in one transaction.

    False where the lease was lost to somebody else, or has been counted. Its campaign has ended, so
    that no coordinator merges the result: it is counted here.
    """
    cancelled = and_(
        lease.c.id == held.lease,
        lease.c.epoch == held.epoch,
        lease.c.state == LeaseState.CANCELLED,
    )
    if not _close(connection, held, cancelled, outcome, merged=True):
        return False
    connection.execute(
        update(campaign)
        .where(campaign.c.id == held.campaign)
        .values(
            schedules=campaign.c.schedules + outcome.schedules,
            fuzz_seconds=campaign.c.fuzz_seconds + outcome.seconds,
        )
    )
    return True


def _close(
    connection: Connection,
    held: HeldLease,
    ours: ColumnElement[bool],
    outcome: Result,
    merged: bool,
) -> bool:
    """End the lease with its result; False, and nothing written, where it is not ``ours``."""
    values = {"state": LeaseState.COMMITTED, "failure": _limit(outcome)}
    if connection.execute(update(lease).where(ours).values(values)).rowcount != 1:
        return False
    connection.execute(
        insert(result).values(
            lease_id=held.lease,
            campaign_id=held.campaign,
            body=to_json(outcome),
            committed=now(),
            merged=merged,
            epoch=held.epoch,
        )
    )
    return True


def to_hand_in(engine: Engine, campaign_id: int) -> int:
    """Cancelled fuzz orders whose workers have yet to say what they did of them."""
    statement = select(func.count()).where(
        lease.c.campaign_id == campaign_id,
        lease.c.kind == "fuzz",
        lease.c.state == LeaseState.CANCELLED,
        lease.c.deadline > now(),
    )
    with reading(engine) as connection:
        return int(connection.execute(statement).scalar_one())


def _limit(outcome: Result) -> str:
    """What ended an order before its time, kept with its lease; empty where nothing did."""
    ended = outcome.ended if isinstance(outcome, FuzzResult) else "ok"
    return "" if ended == "ok" else ended


def report(store: Store, held: HeldLease, found: Case, violation: Violation, events: str) -> int:
    """Record a finding of this lease; its number. Counted once for each order that reports it.

    What a worker saw is true whether or not its lease is still good, so nothing is refused here.
    Recording is idempotent: an order that is carried out again, or by two workers at once, reports
    again what it reported before. Where the campaign was deleted meanwhile the finding stays.
    """
    with store.engine.begin() as connection:
        number = store.record(found, violation, events, seen=0, within=connection).number
        rows = (
            insert_or_not(connection, lease_report)
            .from_select(
                ["lease_id", "finding_id"],
                select(lease.c.id, literal(number)).where(lease.c.id == held.lease),
            )
            .on_conflict_do_nothing()
            .returning(lease_report.c.lease_id)
        )
        if connection.execute(rows).one_or_none() is not None:
            store.count_seen(number, connection)
        seen_first = select(campaign.c.id, literal(number), campaign.c.elapsed)
        connection.execute(
            insert_or_not(connection, sighting)
            .from_select(
                ["campaign_id", "finding_id", "elapsed"],
                seen_first.where(campaign.c.id == held.campaign),
            )
            .on_conflict_do_nothing()
        )
    return number


def seeds(engine: Engine, held: HeldLease, order: FuzzOrder | PruneOrder) -> dict[str, bytes]:
    """The corpus inputs that an order names, checked against their digests."""
    statement = select(corpus.c.digest, corpus.c.data).where(
        corpus.c.campaign_id == held.campaign,
        corpus.c.engine == order.engine,
        corpus.c.target == order.target,
        corpus.c.digest.in_(order.seeds),
    )
    with reading(engine) as connection:
        rows = connection.execute(statement).all()
    return {row.digest: row.data for row in rows if sha256(row.data).hexdigest() == row.digest}


def covered(engine: Engine, held: HeldLease, order_engine: str, target: str) -> frozenset[int]:
    """Features that the lease's campaign has seen on an engine with a target."""
    with reading(engine) as connection:
        return known(connection, held.campaign, order_engine, target)


def fail(engine: Engine, held: HeldLease, what: str) -> bool:
    """Give a lease back after a failed attempt; the last attempt poisons it."""
    statement = (
        update(lease)
        .where(_current(held))
        .values(state=_after_failure(), failure=what[:2000], announced=0.0)
    )
    with engine.begin() as connection:
        return connection.execute(statement).rowcount == 1


def release(engine: Engine, held: HeldLease, why: str) -> bool:
    """Give a lease back that this worker can't serve now (a full disk): costs no attempt."""
    statement = (
        update(lease)
        .where(_current(held))
        .values(state=LeaseState.READY, failure=why[:2000], attempts=lease.c.attempts - 1)
    )
    with engine.begin() as connection:
        return connection.execute(statement).rowcount == 1


def _after_failure() -> ColumnElement[str]:
    return case((lease.c.attempts >= MAX_ATTEMPTS, LeaseState.POISONED), else_=LeaseState.READY)


def sweep(connection: Connection, campaign_id: int, length: float = LEASE_SECONDS) -> int:
    """Free the leases whose worker went silent; returns how many there were."""
    statement = (
        update(lease)
        .where(lease.c.campaign_id == campaign_id, _overdue(length))
        .values(state=_after_failure(), failure="the worker went silent", announced=0.0)
    )
    return connection.execute(statement).rowcount
