"""The workers that are alive, by the signs of life that they leave in the database."""

from typing import Final

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.engine import Engine

from stage2fuzz.findings.campaign_tables import worker
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.database import reading

SILENT_SECONDS: Final = 30.0
"""Without a sign of life for so long, a worker no longer counts."""


def worker_seen(engine: Engine, name: str, slots: int) -> None:
    """Note a sign of life of the worker ``name``, which runs ``slots`` orders at once."""
    seen = update(worker).where(worker.c.name == name).values(seen=now(), slots=slots)
    with engine.begin() as connection:
        if connection.execute(seen).rowcount == 0:
            connection.execute(
                insert(worker).values(name=name, slots=slots, started=now(), seen=now())
            )


def alive() -> Select[tuple[int, int]]:
    """The query for the number of workers that live and the sum of their slots."""
    slots = func.coalesce(func.sum(worker.c.slots), 0)
    return select(func.count().label("workers"), slots.label("slots")).where(
        worker.c.seen > now() - SILENT_SECONDS
    )


def workers_on(engine: Engine, host: str) -> int:
    """How many workers of one host live."""
    statement = select(func.count()).where(
        worker.c.name.startswith(f"{host}:", autoescape=True),
        worker.c.seen > now() - SILENT_SECONDS,
    )
    with reading(engine) as connection:
        return int(connection.execute(statement).scalar_one())
