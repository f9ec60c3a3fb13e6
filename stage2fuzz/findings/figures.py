"""The figures of a campaign, as its status, the log and the Prometheus page all show them."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, ColumnElement, case, func, select
from sqlalchemy.engine import Connection, Engine

from stage2fuzz.findings.campaign_tables import (
    campaign,
    corpus,
    coverage,
    lease,
    sample,
    sighting,
)
from stage2fuzz.findings.campaigns import TENDED_SECONDS, Campaign, of_row
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.database import reading
from stage2fuzz.findings.states import ACTIVE, OPEN, InputState, LeaseState
from stage2fuzz.findings.workers import alive


@dataclass(frozen=True, slots=True)
class CampaignFigures:
    """What there is to know about one campaign at one moment."""

    campaign: Campaign
    leases: dict[str, int]
    """How many orders are in each ``LeaseState``; a state without any is left out."""
    again: int
    """Claims beyond the first of each order: work done twice."""
    features: int
    """Interleaving features seen, added up over the pairs of engine and target."""
    inputs: int
    """Corpus inputs kept."""
    killers: int
    """Inputs that killed or hung the process that ran them."""
    to_do: dict[str, int]
    """Open orders by kind."""
    limits: dict[str, int]
    """Fuzz orders that something ended before their time: timeout, crash, memory ..."""
    silent: float
    """Seconds since a coordinator last worked on it."""
    workers: int
    """Workers of its service that are alive, whichever campaign they work for."""
    slots: int
    """Orders that those workers run at once."""

    @property
    def untended(self) -> bool:
        """Whether it is active and yet no coordinator works on it."""
        return self.campaign.state in ACTIVE and self.silent > TENDED_SECONDS


def figures_of(engine: Engine, number: int) -> CampaignFigures:
    """The figures of one campaign, read in one transaction."""
    mine, of_corpus = lease.c.campaign_id == number, corpus.c.campaign_id == number
    more = func.sum(case((lease.c.attempts > 1, lease.c.attempts - 1), else_=0))
    limited = (mine, lease.c.state == LeaseState.COMMITTED, lease.c.failure != "")
    features = select(func.coalesce(func.sum(coverage.c.count), 0))
    silent = select(now() - campaign.c.ticked).where(campaign.c.id == number)
    seen = select(func.count()).where(sighting.c.campaign_id == number)
    with reading(engine) as connection:
        row = connection.execute(select(campaign).where(campaign.c.id == number)).one()
        inputs = _counted(connection, corpus.c.state, of_corpus)
        living = connection.execute(alive(service=row.service)).one()
        of_features = features.where(coverage.c.campaign_id == number)
        return CampaignFigures(
            campaign=replace(of_row(row), findings=connection.execute(seen).scalar_one()),
            leases=_counted(connection, lease.c.state, mine),
            again=int(connection.execute(select(more).where(mine)).scalar_one() or 0),
            features=int(connection.execute(of_features).scalar_one()),
            inputs=inputs.get(InputState.KEPT, 0),
            killers=inputs.get(InputState.KILLER, 0),
            to_do=_counted(connection, lease.c.kind, mine, lease.c.state.in_(OPEN)),
            limits=_counted(connection, lease.c.failure, *limited),
            silent=max(0.0, connection.execute(silent).scalar_one()),
            workers=living.workers,
            slots=living.slots,
        )


def _counted(
    connection: Connection, column: Column[Any], *where: ColumnElement[bool]
) -> dict[str, int]:
    """How many rows there are of each value of ``column``."""
    rows = connection.execute(
        select(column, func.count().label("number")).where(*where).group_by(column)
    )
    return {row[0]: row.number for row in rows}


def history(engine: Engine, number: int) -> list[tuple[float, int, int, int, int]]:
    """Samples over time: (seconds, schedules, features, inputs, findings)."""
    statement = (
        select(
            sample.c.elapsed,
            sample.c.schedules,
            sample.c.features,
            sample.c.inputs,
            sample.c.findings,
        )
        .where(sample.c.campaign_id == number)
        .order_by(sample.c.elapsed, sample.c.id)
    )
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(statement)]


def to_record(each: CampaignFigures) -> dict[str, object]:
    """Figures as the record that ``campaign status`` prints and the coordinator logs."""
    campaign = each.campaign
    return {
        "campaign": campaign.name,
        "number": campaign.id,
        "state": str(campaign.state),
        "note": campaign.note,
        "elapsed": round(campaign.elapsed, 1),
        "schedules": campaign.schedules,
        "schedules_per_second": round(campaign.schedules / max(campaign.elapsed, 1e-3), 1),
        "fuzz_seconds": round(campaign.fuzz_seconds, 1),
        "features": each.features,
        "inputs": each.inputs,
        "killers": each.killers,
        "findings": campaign.findings,
        "failures": campaign.failures,
        "orders": each.leases,
        "orders_again": each.again,
        "orders_to_do": each.to_do,
        "orders_cut_short": each.limits,
        "untended": each.untended,
        "workers": each.workers,
        "slots": each.slots,
    }
