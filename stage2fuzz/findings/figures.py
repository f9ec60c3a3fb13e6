"""The figures of a campaign, as its status, the log and the Prometheus page all show them."""

from dataclasses import dataclass, replace

from sqlalchemy import case, func, select
from sqlalchemy.engine import Engine

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
    with reading(engine) as connection:
        row = connection.execute(select(campaign).where(campaign.c.id == number)).one()
        leases = connection.execute(
            select(
                lease.c.state,
                func.count().label("number"),
                func.sum(case((lease.c.attempts > 1, lease.c.attempts - 1), else_=0)).label(
                    "again"
                ),
            )
            .where(lease.c.campaign_id == number)
            .group_by(lease.c.state)
        ).all()
        inputs: dict[str, int] = {}
        for each in connection.execute(
            select(corpus.c.state, func.count().label("number"))
            .where(corpus.c.campaign_id == number)
            .group_by(corpus.c.state)
        ):
            inputs[each.state] = each.number
        features = connection.execute(
            select(func.coalesce(func.sum(coverage.c.count), 0)).where(
                coverage.c.campaign_id == number
            )
        ).scalar_one()
        mine = lease.c.campaign_id == number
        to_do = connection.execute(
            select(lease.c.kind, func.count().label("number"))
            .where(mine, lease.c.state.in_(OPEN))
            .group_by(lease.c.kind)
        ).all()
        limits = connection.execute(
            select(lease.c.failure, func.count().label("number"))
            .where(mine, lease.c.state == LeaseState.COMMITTED, lease.c.failure != "")
            .group_by(lease.c.failure)
        ).all()
        silent = connection.execute(
            select(now() - campaign.c.ticked).where(campaign.c.id == number)
        ).scalar_one()
        living = connection.execute(alive(service=row.service)).one()
        seen = select(func.count()).where(sighting.c.campaign_id == number)
        findings = connection.execute(seen).scalar_one()
    return CampaignFigures(
        campaign=replace(of_row(row), findings=findings),
        leases={each.state: each.number for each in leases},
        again=sum(int(each.again) for each in leases),
        features=int(features),
        inputs=inputs.get(InputState.KEPT, 0),
        killers=inputs.get(InputState.KILLER, 0),
        to_do={each.kind: each.number for each in to_do},
        limits={each.failure: each.number for each in limits},
        silent=max(0.0, silent),
        workers=living.workers,
        slots=living.slots,
    )


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
