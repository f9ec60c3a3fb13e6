"""The coordinator's books: one campaign's record, opened in one transaction.

Everything a tick of the coordinator reads and writes happens between ``begin`` and ``commit`` of
one transaction that holds the campaign's row. Killed in the middle, nothing has happened; run
twice at once, the second waits and then finds nothing left to do.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import exists, func, insert, select, update
from sqlalchemy.engine import Connection, Engine

from stage2fuzz.errors import InputError
from stage2fuzz.findings.campaign_tables import (
    campaign,
    corpus,
    coverage,
    lease,
    result,
    sample,
)
from stage2fuzz.findings.campaigns import TENDED_SECONDS, Campaign, of_row
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.corpus import Corpus
from stage2fuzz.findings.database import insert_or_not
from stage2fuzz.findings.leases import sweep
from stage2fuzz.findings.models import Finding
from stage2fuzz.findings.sightings import seen_by
from stage2fuzz.findings.states import ACTIVE, OPEN, InputState, LeaseState, Part
from stage2fuzz.findings.workers import alive
from stage2fuzz.service.orders import (
    NAMES,
    Failure,
    Order,
    Result,
    read_order,
    read_result,
    to_json,
)

LONGEST_TICK: Final = TENDED_SECONDS
"""Seconds that one tick may add to a campaign's time: a coordinator that was killed and started
again does not make the campaign late, and an hour without one does not use up its budget."""
SAMPLE_SECONDS: Final = 5.0
RESULTS_PER_TICK: Final = 500


@dataclass(frozen=True, slots=True)
class Report:
    """A result not merged yet, with the order it answers."""

    lease: int
    order: Order | None
    """None where another version of us wrote it and it can't be read."""
    result: Result
    """A ``Failure`` where what was handed in can't be read."""


@contextmanager
def opened(engine: Engine, number: int) -> Iterator["Books | None"]:
    """The books of an active campaign, locked until the block ends; None for any other."""
    with engine.begin() as connection:
        row = connection.execute(
            select(campaign).where(campaign.c.id == number).with_for_update(key_share=True)
        ).one_or_none()
        yield Books(connection, of_row(row)) if row and row.state in ACTIVE else None


class Books:
    """What one tick reads and writes about one campaign."""

    def __init__(self, connection: Connection, record: Campaign) -> None:
        """``connection`` is in a transaction that holds the campaign's row."""
        self.connection = connection
        self.campaign = record
        self.corpus = Corpus(connection, record.id)

    def reports(self) -> list[Report]:
        """Results that wait to be merged, oldest first, and the orders given up for good."""
        mine = lease.c.campaign_id == self.campaign.id
        given_up = select(lease.c.id, lease.c.campaign_id, lease.c.failure).where(
            mine,
            lease.c.state == LeaseState.POISONED,
            ~exists().where(result.c.lease_id == lease.c.id),
        )
        for row in self.connection.execute(given_up).all():
            self.connection.execute(
                insert(result).values(
                    lease_id=row.id,
                    campaign_id=row.campaign_id,
                    body=to_json(Failure.because(row.failure)),
                    committed=now(),
                    merged=False,
                )
            )
        waiting = (
            select(result.c.lease_id, lease.c.body.label("order"), result.c.body)
            .join(lease, lease.c.id == result.c.lease_id)
            .where(result.c.campaign_id == self.campaign.id, result.c.merged.is_(False))
            .order_by(result.c.lease_id)
            .limit(RESULTS_PER_TICK)
        )
        return [
            _report(row.lease_id, row.order, row.body) for row in self.connection.execute(waiting)
        ]

    def merged(self, reports: Sequence[Report]) -> None:
        """These results are counted now."""
        if not reports:
            return
        self.connection.execute(
            update(result)
            .where(result.c.lease_id.in_([each.lease for each in reports]))
            .values(merged=True)
        )

    def labels(self) -> frozenset[str]:
        """Labels of all orders but the fuzz orders."""
        statement = select(lease.c.label).where(
            lease.c.campaign_id == self.campaign.id, lease.c.kind != "fuzz"
        )
        return frozenset(self.connection.execute(statement).scalars())

    def open_orders(self) -> int:
        """Orders that are ready or in work."""
        statement = select(func.count()).where(
            lease.c.campaign_id == self.campaign.id, lease.c.state.in_(OPEN)
        )
        return int(self.connection.execute(statement).scalar_one())

    def sweep(self, length: float) -> int:
        """Free the leases of workers that went silent for ``length`` seconds; how many."""
        return sweep(self.connection, self.campaign.id, length)

    def findings(self) -> list[Finding]:
        """Every finding that this campaign saw, by number, with its regressions."""
        return seen_by(self.connection, self.campaign.id)

    def keep_log(self, number: int, log: str, build: str) -> None:
        """Keep the event log that ``build`` made of a finding's case, where none is kept yet."""
        lacking = (Finding.id == number, Finding.events == "", Finding.build == build)
        self.connection.execute(update(Finding).where(*lacking).values(events=log))

    def slots(self) -> int:
        """Slots of all workers of the campaign's service that are alive."""
        return int(self.connection.execute(alive(service=self.campaign.service)).one().slots)

    def has_real_kernel(self) -> bool:
        """Whether a worker lives that can force a schedule on a real kernel."""
        living = alive(Part.REAL, self.campaign.service)
        return bool(self.connection.execute(living).one().workers)

    def add(self, orders: Mapping[str, Order]) -> None:
        """Write the orders down, ready to be claimed; a label that exists stays as it is."""
        rows = [
            {
                "campaign_id": self.campaign.id,
                "kind": NAMES[type(order)],
                "label": label,
                "body": to_json(order),
                "state": LeaseState.READY,
                "attempts": 0,
                "epoch": 0,
                "owner": "",
                "deadline": 0.0,
                "announced": 0.0,
                "failure": "",
            }
            for label, order in orders.items()
        ]
        if rows:
            self.connection.execute(
                insert_or_not(self.connection, lease).on_conflict_do_nothing(), rows
            )

    def cancel(self, states: Sequence[LeaseState], *kinds: str) -> int:
        """Give up the orders of these kinds (none: of all) in ``states``; how many there were."""
        mine = [lease.c.campaign_id == self.campaign.id, lease.c.state.in_(states)]
        if kinds:
            mine.append(lease.c.kind.in_(kinds))
        changed = update(lease).where(*mine).values(state=LeaseState.CANCELLED)
        return self.connection.execute(changed).rowcount

    def clock(self, working: bool) -> float:
        """Let time pass for the campaign where a worker lives; its seconds so far.

        The start of a service comes on top of the time that was asked for: on a busy machine it
        may take as long as a short campaign, which would then end before anything ran.
        """
        passed = self.connection.execute(
            select(now() - campaign.c.ticked).where(campaign.c.id == self.campaign.id)
        ).scalar_one()
        elapsed = self.campaign.elapsed + (min(max(passed, 0.0), LONGEST_TICK) if working else 0)
        self.write(elapsed=elapsed, ticked=now())
        return elapsed

    def write(self, **values: object) -> None:
        """Change columns of the campaign's row."""
        self.connection.execute(
            update(campaign).where(campaign.c.id == self.campaign.id).values(values)
        )

    def take_sample(self, elapsed: float, schedules: int, findings: int) -> None:
        """Add a point to coverage over time, unless the last one is quite new."""
        last = self.connection.execute(
            select(func.max(sample.c.elapsed)).where(sample.c.campaign_id == self.campaign.id)
        ).scalar_one()
        if last is not None and elapsed - last < SAMPLE_SECONDS:
            return
        features = select(func.coalesce(func.sum(coverage.c.count), 0)).where(
            coverage.c.campaign_id == self.campaign.id
        )
        inputs = select(func.count()).where(
            corpus.c.campaign_id == self.campaign.id, corpus.c.state == InputState.KEPT
        )
        self.connection.execute(
            insert(sample).values(
                campaign_id=self.campaign.id,
                elapsed=elapsed,
                schedules=schedules,
                features=features.scalar_subquery(),
                inputs=inputs.scalar_subquery(),
                findings=findings,
            )
        )


def _report(number: int, order: str, body: str) -> Report:
    """A row as a report; one that can't be read is a failure of its own order and of no other."""
    try:
        asked = read_order(order)
    except InputError as error:
        return Report(number, None, Failure.because(f"the order can't be read: {error}"))
    try:
        return Report(number, asked, read_result(body))
    except InputError as error:
        return Report(number, asked, Failure.because(f"the result can't be read: {error}"))
