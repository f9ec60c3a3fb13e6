"""Campaigns as a person handles them: start, list, name, pause, resume, stop."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Engine, Row
from sqlalchemy.exc import IntegrityError

from stage2fuzz.errors import InputError
from stage2fuzz.findings.campaign_tables import campaign, lease
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.database import reading
from stage2fuzz.findings.states import ENDED, CampaignState, LeaseState
from stage2fuzz.service.orders import CampaignSpec, read_spec, to_json


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

    @property
    def spec(self) -> CampaignSpec:
        """What was asked for. Raises InputError where another version of us wrote it."""
        return read_spec(self.spec_text)


def create(engine: Engine, spec: CampaignSpec) -> int:
    """Start a campaign; its number.

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


def numbers(engine: Engine, states: tuple[CampaignState, ...]) -> list[int]:
    """Numbers of the campaigns in the given states, oldest first."""
    statement = select(campaign.c.id).where(campaign.c.state.in_(states)).order_by(campaign.c.id)
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
    )


def pause(engine: Engine, number: int) -> None:
    """Plan no more orders and let none be claimed; what is in work is finished and kept."""
    _change(engine, number, CampaignState.PAUSED, (CampaignState.RUNNING,))


def resume(engine: Engine, number: int) -> None:
    """Go on after a pause."""
    _change(engine, number, CampaignState.RUNNING, (CampaignState.PAUSED,))


def stop(engine: Engine, number: int) -> None:
    """End a campaign for good; workers give up its orders at their next heartbeat."""
    _change(engine, number, CampaignState.STOPPED, ())
    with engine.begin() as connection:
        connection.execute(
            update(lease)
            .where(lease.c.campaign_id == number, lease.c.state == LeaseState.READY)
            .values(state=LeaseState.CANCELLED)
        )


def set_aside(engine: Engine, number: int, why: str) -> None:
    """Pause a campaign whose record can't be worked on, whatever its state, and note why."""
    values = {"state": CampaignState.PAUSED, "note": why}
    with engine.begin() as connection:
        connection.execute(update(campaign).where(campaign.c.id == number).values(values))


def _change(
    engine: Engine, number: int, state: CampaignState, allowed: tuple[CampaignState, ...]
) -> None:
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


def address(engine: Engine) -> str:
    """The database's URL as a process in another folder can use it, password and all."""
    url = engine.url
    if url.get_backend_name() == "sqlite" and url.database:
        url = url.set(database=str(Path(url.database).absolute()))
    return url.render_as_string(hide_password=False)
