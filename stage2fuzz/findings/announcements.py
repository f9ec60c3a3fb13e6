"""Which leases wait for a worker, and which of them the broker was told of.

A message may be lost, so a lease that waits for long is announced again; what a doubled message
does is to find nothing left to claim.
"""

from sqlalchemy import exists, literal, or_, select, update
from sqlalchemy.engine import Engine

from stage2fuzz.findings.campaign_tables import campaign, lease
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.database import reading
from stage2fuzz.findings.leases import in_campaign
from stage2fuzz.findings.states import LeaseState


def unannounced(
    engine: Engine, campaign_id: int, again: float, limit: int
) -> list[tuple[int, str]]:
    """Ready leases that no message names, or none of the last ``again`` seconds: (id, kind)."""
    statement = (
        select(lease.c.id, lease.c.kind)
        .where(
            lease.c.campaign_id == campaign_id,
            lease.c.state == LeaseState.READY,
            or_(
                lease.c.announced < now() - literal(again),
                lease.c.announced > now() + literal(again),
            ),
            in_campaign(),
        )
        .order_by(lease.c.id)
        .limit(limit)
    )
    with reading(engine) as connection:
        return [(row.id, row.kind) for row in connection.execute(statement)]


def overlooked(engine: Engine, host: str, service: str = "") -> bool:
    """Whether leases of a service wait to be claimed while no process of ``host`` holds one."""
    mine = lease.c.owner.startswith(f"{host}:", autoescape=True)
    held = exists().where(lease.c.state == LeaseState.LEASED, mine, lease.c.deadline > now())
    ours = exists().where(campaign.c.id == lease.c.campaign_id, campaign.c.service == service)
    # An order for a real kernel waits for a worker that has one, which need not be on this host.
    anybody = lease.c.kind != "confirm-real"
    waiting = exists().where(lease.c.state == LeaseState.READY, in_campaign(), ours, anybody)
    statement = select(waiting & ~held)
    with reading(engine) as connection:
        return bool(connection.execute(statement).scalar_one())


def announced(engine: Engine, numbers: list[int]) -> None:
    """Note that the broker took a message for these leases."""
    if numbers:
        with engine.begin() as connection:
            connection.execute(update(lease).where(lease.c.id.in_(numbers)).values(announced=now()))
