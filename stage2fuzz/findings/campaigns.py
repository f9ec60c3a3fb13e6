"""Campaigns as a person handles them: start, list, name, pause, adopt, stop, delete."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import case, func, insert, or_, select, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.engine import Engine, Row
from sqlalchemy.exc import IntegrityError

from stage2fuzz.errors import InputError
from stage2fuzz.findings.campaign_tables import (
    campaign,
    corpus,
    coverage,
    lease,
    lease_report,
    result,
    sample,
    sighting,
)
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.database import reading
from stage2fuzz.findings.states import ACTIVE, ENDED, OPEN, CampaignState, LeaseState
from stage2fuzz.service.orders import CampaignSpec, read_spec, to_json

TENDED_SECONDS: Final = 15.0
"""A coordinator looks at each of its campaigns every half second; one that nobody has looked at
for so long has lost its service."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """One row of ``campaign``; seconds are counted while it runs, by the database's clock."""

    id: int
    name: str
    spec_text: str
    state: CampaignState
    elapsed: float
    planned: int
    schedules: int
    fuzz_seconds: float
    findings: int
    failures: int = 0
    """Orders that failed for good, one after the other, up to now."""
    note: str = ""
    """Why the coordinator changed the state by itself."""
    service: str = ""
    """The service whose coordinator works for it: the shared one, or that of one command."""

    @property
    def spec(self) -> CampaignSpec:
        """What was asked for. Raises InputError where another version of us wrote it."""
        return read_spec(self.spec_text)


def create(engine: Engine, spec: CampaignSpec, service: str = "") -> int:
    """Start a campaign that ``service`` works for; its number.

    Raises InputError where the name is taken, or could be taken for a number.
    """
    if spec.name.isdigit():
        right = "a name with a letter in it"
        raise InputError("name", f"{spec.name} would be mistaken for a campaign's number", right)
    statement = (
        insert(campaign)
        .values(
            name=spec.name,
            spec=to_json(spec),
            state=CampaignState.RUNNING,
            created=now(),
            ticked=now(),
            elapsed=0.0,
            planned=0,
            schedules=0,
            fuzz_seconds=0.0,
            findings=0,
            failures=0,
            note="",
            service=service,
        )
        .returning(campaign.c.id)
    )
    try:
        with engine.begin() as connection:
            return int(connection.execute(statement).scalar_one())
    except IntegrityError:
        raise InputError("name", f"there is a campaign {spec.name!r}", "another name") from None


def every(engine: Engine, states: tuple[CampaignState, ...] = ()) -> list[Campaign]:
    """All campaigns, or those in the given states, oldest first."""
    statement = select(campaign).order_by(campaign.c.id)
    if states:
        statement = statement.where(campaign.c.state.in_(states))
    with reading(engine) as connection:
        return [of_row(row) for row in connection.execute(statement)]


def active(engine: Engine, service: str = "") -> list[int]:
    """Numbers of the campaigns that a service has to work for, oldest first."""
    mine = (campaign.c.state.in_(ACTIVE), campaign.c.service == service)
    statement = select(campaign.c.id).where(*mine).order_by(campaign.c.id)
    with reading(engine) as connection:
        return list(connection.execute(statement).scalars())


def named(engine: Engine, name: str) -> Campaign:
    """The campaign of this name, else of this number (``1`` or ``#1``). Raises InputError.

    A name goes before a number: databases of older versions hold campaigns named ``1``.
    """
    known = every(engine)
    for each in known:
        if name == each.name:
            return each
    for each in known:
        if name.removeprefix("#") == str(each.id):
            return each
    raise InputError("campaign", f"there is no campaign {name!r}", "a name of `campaign list`")


def state_of(engine: Engine, number: int) -> CampaignState:
    """The state of one campaign: the cheapest look there is at it."""
    statement = select(campaign.c.state).where(campaign.c.id == number)
    with reading(engine) as connection:
        return CampaignState(connection.execute(statement).scalar_one())


def of_row(row: Row[tuple[object, ...]]) -> Campaign:
    """A row of ``campaign`` as a record."""
    return Campaign(
        row.id,
        row.name,
        row.spec,
        CampaignState(row.state),
        row.elapsed,
        row.planned,
        row.schedules,
        row.fuzz_seconds,
        row.findings,
        row.failures,
        row.note,
        row.service,
    )


def pause(engine: Engine, number: int) -> None:
    """Plan no more orders and let none be claimed; what is in work is finished and kept."""
    _change(engine, number, CampaignState.PAUSED, (CampaignState.RUNNING,))


def adopt(engine: Engine, number: int, service: str) -> None:
    """Go on with a campaign that is paused, or whose own service is gone, in ``service``.

    Raises InputError where another service works for it still, or where it has ended.
    """
    untended = or_(
        campaign.c.state == CampaignState.PAUSED,
        campaign.c.ticked < now() - TENDED_SECONDS,
        campaign.c.ticked > now() + TENDED_SECONDS,
    )
    going_on = case(
        (campaign.c.state == CampaignState.DRAINING, CampaignState.DRAINING),
        else_=CampaignState.RUNNING,
    )
    statement = (
        update(campaign)
        .where(campaign.c.id == number, campaign.c.state.not_in(ENDED), untended)
        .values(service=service, state=going_on, ticked=now(), note="")
    )
    with engine.begin() as connection:
        if connection.execute(statement).rowcount == 1:
            return
        row = connection.execute(select(campaign.c.state).where(campaign.c.id == number)).one()
    if row.state in ENDED:
        raise InputError("campaign", f"number {number} is {row.state}", "start another one")
    right = f"pause it, or wait {TENDED_SECONDS:.0f} s after that one has ended"
    raise InputError("campaign", f"a service works for number {number}", right)


def delete(engine: Engine, number: int) -> None:
    """Forget a campaign with its orders and its corpus; its findings stay.

    Raises InputError where somebody still works for it.
    """
    where = campaign.c.id == number
    with engine.begin() as connection:
        row = connection.execute(
            select(campaign.c.state, (now() - campaign.c.ticked).label("silent")).where(where)
        ).one()
        held = select(func.count()).where(
            lease.c.campaign_id == number,
            lease.c.state == LeaseState.LEASED,
            lease.c.deadline > now(),
        )
        if row.state in ACTIVE and abs(row.silent) < TENDED_SECONDS:
            raise InputError("campaign", f"number {number} is {row.state}", "stop it first")
        if row.state not in ENDED and connection.execute(held).scalar_one():
            raise InputError("campaign", "a worker has an order of it", "stop it first")
        mine = select(lease.c.id).where(lease.c.campaign_id == number)
        connection.execute(sql_delete(lease_report).where(lease_report.c.lease_id.in_(mine)))
        for table in (result, lease, corpus, coverage, sample, sighting):
            connection.execute(sql_delete(table).where(table.c.campaign_id == number))
        connection.execute(sql_delete(campaign).where(where))


def stop(engine: Engine, number: int, note: str = "") -> None:
    """End a campaign for good; workers give up its orders at their next heartbeat."""
    _change(engine, number, CampaignState.STOPPED, (), note)
    with engine.begin() as connection:
        connection.execute(
            update(lease)
            .where(lease.c.campaign_id == number, lease.c.state.in_(OPEN))
            .values(state=LeaseState.CANCELLED)
        )


def set_aside(engine: Engine, number: int, why: str) -> None:
    """Pause a campaign whose record can't be worked on, whatever its state, and note why."""
    values = {"state": CampaignState.PAUSED, "note": why}
    with engine.begin() as connection:
        connection.execute(update(campaign).where(campaign.c.id == number).values(values))


def _change(
    engine: Engine,
    number: int,
    state: CampaignState,
    allowed: tuple[CampaignState, ...],
    note: str = "",
) -> None:
    values = {"state": state, "ticked": now(), "note": note}
    statement = update(campaign).where(campaign.c.id == number).values(values)
    if allowed:
        statement = statement.where(campaign.c.state.in_(allowed))
    else:
        statement = statement.where(campaign.c.state.not_in(ENDED))
    with engine.begin() as connection:
        if connection.execute(statement).rowcount == 1:
            return
    right = f"one that is {allowed[0]}" if allowed else "one that has not ended"
    raise InputError("campaign", f"number {number} can't be {state}", right)


def address(engine: Engine) -> str:
    """The database's URL as a process in another folder can use it, password and all."""
    url = engine.url
    if url.get_backend_name() == "sqlite" and url.database:
        url = url.set(database=str(Path(url.database).absolute()))
    return url.render_as_string(hide_password=False)
