"""Coverage as it is stored: a set of features as sorted 32-bit numbers."""

from array import array

from sqlalchemy import Connection, Engine, select

from stage2fuzz.findings.campaign_tables import campaign, corpus, coverage
from stage2fuzz.findings.database import reading
from stage2fuzz.findings.states import InputState


def pack(features: frozenset[int]) -> bytes:
    """Features as sorted 32-bit numbers, so that equal sets are equal bytes."""
    return array("I", sorted(features)).tobytes()


def unpack(packed: bytes) -> frozenset[int]:
    """The set that ``pack`` packed."""
    numbers = array("I")
    numbers.frombytes(packed)
    return frozenset(numbers)


def known(connection: Connection, number: int, engine: str, target: str) -> frozenset[int]:
    """Features that a campaign has seen on one engine with one target."""
    packed = connection.execute(
        select(coverage.c.features).where(
            coverage.c.campaign_id == number,
            coverage.c.engine == engine,
            coverage.c.target == target,
        )
    ).scalar_one_or_none()
    return unpack(packed) if packed else frozenset()


def features_by_stream(engine: Engine) -> list[tuple[str, str, str, int]]:
    """(campaign, engine, target, features) of every campaign's streams, the newest first."""
    columns = (campaign.c.name, coverage.c.engine, coverage.c.target, coverage.c.count)
    query = select(*columns).join(campaign, campaign.c.id == coverage.c.campaign_id)
    order = (campaign.c.id.desc(), coverage.c.engine, coverage.c.target)
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(query.order_by(*order))]


def kept_inputs(engine: Engine, name: str, limit: int) -> list[tuple[str, bytes]]:
    """(target, input) of the corpora of one engine, those of the newest campaigns first."""
    columns = (corpus.c.target, corpus.c.data)
    mine = (corpus.c.engine == name, corpus.c.state == InputState.KEPT)
    order = (corpus.c.campaign_id.desc(), corpus.c.target, corpus.c.digest)
    query = select(*columns).where(*mine).order_by(*order).limit(limit)
    with reading(engine) as connection:
        return [(row.target, row.data) for row in connection.execute(query)]
