"""Who is alive: workers and coordinators, by the signs of life that they leave in the database.

A service is known by its name: empty for the one that all machines share, a name of its own for
one that a ``campaign start --local`` runs beside it on the same database.
"""

from typing import Any, Final

from sqlalchemy import Select, func, select
from sqlalchemy.engine import Engine

from stage2fuzz.findings.campaign_tables import worker
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.database import insert_or_not, reading
from stage2fuzz.findings.states import Part

SILENT_SECONDS: Final = 30.0
"""Without a sign of life for so long, a process no longer counts."""


def seen(engine: Engine, part: Part, name: str, slots: int, service: str = "") -> None:
    """Note a sign of life of the process ``name``, which runs ``slots`` orders at once."""
    values = {"seen": now(), "slots": slots, "service": service, "part": part}
    with engine.begin() as connection:
        statement = insert_or_not(connection, worker).values(name=name, started=now(), **values)
        connection.execute(
            statement.on_conflict_do_update(index_elements=[worker.c.name], set_=values)
        )


def alive(part: Part = Part.WORKER, service: str = "") -> Select[tuple[int, int]]:
    """The query for the number of a service's processes that live and the sum of their slots."""
    slots = func.coalesce(func.sum(worker.c.slots), 0)
    return select(func.count().label("workers"), slots.label("slots")).where(
        worker.c.seen > now() - SILENT_SECONDS,
        worker.c.part == part,
        worker.c.service == service,
    )


def living(engine: Engine, part: Part, service: str = "") -> int:
    """How many processes of a service live that are this part of it."""
    with reading(engine) as connection:
        return int(connection.execute(alive(part, service)).one().workers)


def listed(engine: Engine) -> list[dict[str, Any]]:
    """Every worker and coordinator that the database knows, the last sign of life first.

    ``silent`` is seconds since that sign; ``alive`` is whether it still counts.
    """
    silent = (now() - worker.c.seen).label("silent")
    columns = (worker.c.name, worker.c.part, worker.c.service, worker.c.slots, silent)
    with reading(engine) as connection:
        rows = connection.execute(select(*columns).order_by(worker.c.seen.desc())).all()
    return [
        {
            "name": row.name,
            "part": str(row.part),
            "service": row.service,
            "slots": row.slots,
            "silent": round(max(0.0, row.silent), 1),
            "alive": row.silent < SILENT_SECONDS,
        }
        for row in rows
    ]
