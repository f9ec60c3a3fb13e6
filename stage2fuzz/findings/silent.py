"""Pairs of engine and target of a campaign that had their turn and ran nothing.

A campaign of several pairs has schedules to show as soon as one of them runs; that another never
did would be lost in the sum, and "nothing found" would be said of it as well.
"""

from sqlalchemy import select
from sqlalchemy.engine import Engine

from stage2fuzz.errors import InputError
from stage2fuzz.findings.campaign_tables import lease, result
from stage2fuzz.findings.database import reading
from stage2fuzz.service.orders import FuzzOrder, FuzzResult, read_order, read_result


def silent_pairs(engine: Engine, number: int) -> list[str]:
    """``ENGINE TARGET`` of each pair of which an order was begun and none ran a schedule."""
    statement = (
        select(lease.c.body, result.c.body.label("done"))
        .outerjoin(result, result.c.lease_id == lease.c.id)
        .where(lease.c.campaign_id == number, lease.c.kind == "fuzz", lease.c.epoch > 0)
    )
    spoke: dict[str, bool] = {}
    with reading(engine) as connection:
        for row in connection.execute(statement):
            try:
                order = read_order(row.body)
            except InputError:
                continue
            if isinstance(order, FuzzOrder):
                pair = f"{order.engine} {order.target}"
                spoke[pair] = spoke.get(pair, False) or _ran(row.done)
    return [pair for pair, ran in spoke.items() if not ran]


def _ran(body: str | None) -> bool:
    """Whether a result says that something ran: a schedule, or what its process died of."""
    try:
        done = read_result(body) if body else None
    except InputError:
        return False
    return isinstance(done, FuzzResult) and bool(done.schedules or done.killers)
