"""Which findings a campaign saw, whoever saw them first."""

from sqlalchemy import Connection, select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from stage2fuzz.findings.campaign_tables import sighting
from stage2fuzz.findings.database import reading
from stage2fuzz.findings.models import Finding


def seen_by(connection: Connection, number: int) -> list[Finding]:
    """Every finding that campaign ``number`` saw, by number, with its regressions."""
    with Session(connection, expire_on_commit=False) as session:
        return list(
            session.scalars(
                select(Finding)
                .join(sighting, sighting.c.finding_id == Finding.id)
                .where(sighting.c.campaign_id == number)
                .order_by(Finding.id)
            )
        )


def findings_of(engine: Engine, number: int) -> list[Finding]:
    """``seen_by`` with a connection of its own."""
    with reading(engine) as connection:
        return seen_by(connection, number)
