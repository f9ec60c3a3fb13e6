"""Campaigns as a person handles them: start, list, pause, resume, stop, look at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Select, case, func, insert, select, update
from sqlalchemy.engine import Connection, Engine, Row
from sqlalchemy.exc import IntegrityError

from stage2fuzz.errors import InputError, ModelError
from stage2fuzz.findings.campaign_tables import (
    CANCELLED,
    ENDED,
    KEPT,
    KILLER,
    PAUSED,
    READY,
    RUNNING,
    STOPPED,
    campaign,
    corpus,
    coverage,
    lease,
    sample,
    worker,
)
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.database import READS
from stage2fuzz.service.orders import CampaignSpec, from_json, to_json

WORKER_SILENT: Final = 30.0
"""Seconds without a sign of life after which a worker no longer counts."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """One row of ``campaign``; seconds are counted while it runs, by the database's clock."""

    id: int
    spec: CampaignSpec
    state: str
    elapsed: float
    planned: int
    schedules: int
    fuzz_seconds: float
    findings: int
    failures: int = 0
    """Orders that failed for good, one after the other, up to now."""
    note: str = ""
    """Why the coordinator changed the state by itself."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What ``campaign status``, the log and the Prometheus endpoint all show."""

    campaign: Campaign
    leases: dict[str, int]
    """Orders by state: ready, leased, committed, poisoned, cancelled."""
    again: int
    """Claims beyond the first of each order: work done twice."""
    features: int
    inputs: int
    killers: int
    workers: int
    slots: int


def create(engine: Engine, spec: CampaignSpec) -> int:
    """Start a campaign; its number. Raises InputError where the name is taken."""
    spec.check()
    statement = (
        insert(campaign)
        .values(
            name=spec.name,
            spec=to_json(spec),
            state=RUNNING,
            created=now(),
            ticked=now(),
            elapsed=0.0,
            planned=0,
            schedules=0,
            fuzz_seconds=0.0,
            findings=0,
            failures=0,
            note="",
        )
        .returning(campaign.c.id)
    )
    try:
        with engine.begin() as connection:
            return int(connection.execute(statement).scalar_one())
    except IntegrityError:
        raise InputError("name", f"there is a campaign {spec.name!r}", "another name") from None


def every(engine: Engine, states: tuple[str, ...] = ()) -> list[Campaign]:
    """All campaigns, or those in the given states, oldest first."""
    statement = select(campaign).order_by(campaign.c.id)
    if states:
        statement = statement.where(campaign.c.state.in_(states))
    with reading(engine) as connection:
        return [of_row(row) for row in connection.execute(statement)]


def named(engine: Engine, name: str) -> Campaign:
    """The campaign of this name or number. Raises InputError where there is none."""
    for each in every(engine):
        if name in {each.spec.name, str(each.id)}:
            return each
    raise InputError("campaign", f"there is no campaign {name!r}", "a name of `campaign list`")


def of_row(row: Row[tuple[object, ...]]) -> Campaign:
    """A row of ``campaign`` as a record."""
    spec = from_json(row.spec, "campaign")
    if not isinstance(spec, CampaignSpec):
        raise ModelError("the campaign's spec is another record")
    return Campaign(
        row.id,
        spec,
        row.state,
        row.elapsed,
        row.planned,
        row.schedules,
        row.fuzz_seconds,
        row.findings,
        row.failures,
        row.note,
    )


def pause(engine: Engine, number: int) -> None:
    """Plan no more orders and let none be claimed; what is in work is finished and kept."""
    _change(engine, number, PAUSED, (RUNNING,))


def resume(engine: Engine, number: int) -> None:
    """Go on after a pause."""
    _change(engine, number, RUNNING, (PAUSED,))


def stop(engine: Engine, number: int) -> None:
    """End a campaign for good; workers give up its orders at their next heartbeat."""
    _change(engine, number, STOPPED, ())
    with engine.begin() as connection:
        connection.execute(
            update(lease)
            .where(lease.c.campaign_id == number, lease.c.state == READY)
            .values(state=CANCELLED)
        )


def _change(engine: Engine, number: int, state: str, allowed: tuple[str, ...]) -> None:
    statement = (
        update(campaign).where(campaign.c.id == number).values(state=state, ticked=now(), note="")
    )
    if allowed:
        statement = statement.where(campaign.c.state.in_(allowed))
    else:
        statement = statement.where(campaign.c.state.not_in(ENDED))
    with engine.begin() as connection:
        if connection.execute(statement).rowcount == 1:
            return
    right = f"one that is {allowed[0]}" if allowed else "one that has not ended"
    raise InputError("campaign", f"number {number} can't be {state}", right)


def figures(engine: Engine, number: int) -> Figures:
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
        living = connection.execute(alive()).one()
    return Figures(
        campaign=of_row(row),
        leases={each.state: each.number for each in leases},
        again=sum(int(each.again) for each in leases),
        features=int(features),
        inputs=inputs.get(KEPT, 0),
        killers=inputs.get(KILLER, 0),
        workers=living.workers,
        slots=living.slots,
    )


def alive() -> Select[tuple[int, int]]:
    """Workers that gave a sign of life lately, and their slots."""
    slots = func.coalesce(func.sum(worker.c.slots), 0)
    return select(func.count().label("workers"), slots.label("slots")).where(
        worker.c.seen > now() - WORKER_SILENT
    )


def workers_on(engine: Engine, host: str) -> int:
    """Workers of one host that gave a sign of life lately."""
    statement = select(func.count()).where(
        worker.c.name.startswith(f"{host}:", autoescape=True), worker.c.seen > now() - WORKER_SILENT
    )
    with reading(engine) as connection:
        return int(connection.execute(statement).scalar_one())


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


def reading(engine: Engine) -> Connection:
    """A connection that only reads, and so never waits for a writer."""
    return engine.connect().execution_options(**{READS: True})


def worker_seen(engine: Engine, name: str, slots: int) -> None:
    """A worker's sign of life; the first one registers it."""
    seen = update(worker).where(worker.c.name == name).values(seen=now(), slots=slots)
    with engine.begin() as connection:
        if connection.execute(seen).rowcount == 0:
            connection.execute(
                insert(worker).values(name=name, slots=slots, started=now(), seen=now())
            )


def address(engine: Engine) -> str:
    """The database's URL as a process in another folder can use it, password and all."""
    url = engine.url
    if url.get_backend_name() == "sqlite" and url.database:
        url = url.set(database=str(Path(url.database).absolute()))
    return url.render_as_string(hide_password=False)


def to_record(each: Figures) -> dict[str, object]:
    """Figures as the record that ``campaign status`` prints and the coordinator logs."""
    campaign = each.campaign
    return {
        "campaign": campaign.spec.name,
        "number": campaign.id,
        "state": campaign.state,
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
        "workers": each.workers,
        "slots": each.slots,
    }
