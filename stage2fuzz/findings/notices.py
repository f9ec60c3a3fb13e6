"""Who was told of which finding: what ``notify`` has still to tell, and how much it told lately.

A database that does not answer is an InputError: whoever asks again and again goes on when it does.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, Engine, delete, func, literal, select
from sqlalchemy.orm import Session

from stage2fuzz.findings.clock import now
from stage2fuzz.findings.database import answering, insert_or_not, reading
from stage2fuzz.findings.models import Finding, Notice, SentMessage
from stage2fuzz.findings.states import State

OPEN = (State.NEW, State.CONFIRMED, State.MINIMISED, State.TRIAGED)
KEPT: Final = 86_400.0
"""Seconds for which a message is remembered; the brake looks back for an hour."""


def untold(
    engine: Engine, channel: str, settle: float, categories: Sequence[str] = (), known: bool = False
) -> list[Finding]:
    """Open findings of which a channel was not told, by number; those of the last ``settle``
    seconds later, so that what comes together is told together.

    ``known`` adds faults that the shipped list has.
    """
    told = select(Notice.finding_id).where(Notice.channel == channel)
    query = select(Finding).where(
        Finding.state.in_(OPEN),
        Finding.first_seen <= now() - literal(settle),
        Finding.id.not_in(told),
    )
    if categories:
        query = query.where(Finding.category.in_(categories))
    if not known:
        query = query.where(Finding.known == "")
    with (
        answering(engine),
        reading(engine) as connection,
        Session(connection, expire_on_commit=False) as session,
    ):
        return list(session.scalars(query.order_by(Finding.id)))


def note_told(engine: Engine, channel: str, numbers: Sequence[int], message: str) -> None:
    """A message reached its channel. A finding that was deleted meanwhile is nobody's concern."""
    with answering(engine), engine.begin() as connection:
        connection.execute(
            insert_or_not(connection, SentMessage)
            .from_select(
                ["name", "channel", "at"], select(literal(message), literal(channel), now())
            )
            .on_conflict_do_nothing()
        )
        old = (SentMessage.channel == channel, SentMessage.at < now() - literal(KEPT))
        connection.execute(delete(SentMessage).where(*old))
        there = select(Finding.id, literal(channel), literal(message), now())
        columns = ["finding_id", "channel", "message", "at"]
        statement = insert_or_not(connection, Notice).from_select(
            columns, there.where(Finding.id.in_(numbers))
        )
        connection.execute(statement.on_conflict_do_nothing())


def told_lately(engine: Engine, channel: str, seconds: float) -> tuple[int, float]:
    """Messages of the last ``seconds``, and how long ago the first of them was."""
    moment = now()
    query = select(func.count(), func.coalesce(moment - func.min(SentMessage.at), 0.0)).where(
        SentMessage.channel == channel, SentMessage.at > moment - literal(seconds)
    )
    with answering(engine), reading(engine) as connection:
        count, since = connection.execute(query).one()
        return int(count), float(since)


def forget_told(connection: Connection, numbers: Sequence[int]) -> None:
    """What was fixed and is open again is news again; its messages still count for the brake."""
    connection.execute(delete(Notice).where(Notice.finding_id.in_(numbers)))
