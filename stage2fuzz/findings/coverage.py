"""Coverage as it is stored: a set of features as sorted 32-bit numbers."""

from array import array

from sqlalchemy import Connection, select

from stage2fuzz.findings.campaign_tables import coverage


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
