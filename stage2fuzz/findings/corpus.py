"""The shared corpus of a campaign: its inputs, what has become of them, and what they cover."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Connection

from stage2fuzz.findings.campaign_tables import corpus, coverage
from stage2fuzz.findings.coverage import known, pack, unpack
from stage2fuzz.findings.database import insert_or_not
from stage2fuzz.findings.states import InputState

StreamKey = tuple[str, str]
"""Engine and target: what shares a corpus."""


@dataclass(frozen=True, slots=True)
class CorpusInput:
    """A corpus input without its bytes."""

    digest: str
    size: int
    features: frozenset[int]


@dataclass(frozen=True, slots=True)
class Input:
    """A corpus input that somebody hands in, with the features that were measured, packed."""

    engine: str
    target: str
    digest: str
    data: bytes
    features: bytes


class Corpus:
    """The corpus of one campaign, read and changed in the caller's transaction."""

    def __init__(self, connection: Connection, number: int) -> None:
        """``number`` is the campaign's."""
        self.connection = connection
        self.number = number

    def inputs(self, state: InputState) -> dict[StreamKey, list[CorpusInput]]:
        """The inputs in a state, by stream, in order of digest."""
        statement = (
            select(
                corpus.c.engine,
                corpus.c.target,
                corpus.c.digest,
                func.length(corpus.c.data).label("size"),
                corpus.c.features,
            )
            .where(corpus.c.campaign_id == self.number, corpus.c.state == state)
            .order_by(corpus.c.digest)
        )
        found: dict[StreamKey, list[CorpusInput]] = {}
        for row in self.connection.execute(statement):
            entry = CorpusInput(row.digest, row.size, unpack(row.features))
            found.setdefault((row.engine, row.target), []).append(entry)
        return found

    def add(self, inputs: Iterable[Input]) -> None:
        """Hand inputs in, for the coordinator to keep or to drop; those it knows change nothing."""
        rows = [
            {**asdict(each), "campaign_id": self.number, "state": InputState.NEW} for each in inputs
        ]
        if rows:
            insertion = insert_or_not(self.connection, corpus).on_conflict_do_nothing()
            self.connection.execute(insertion, rows)

    def size(self) -> int:
        """How many inputs were ever handed in."""
        rows = select(func.count()).select_from(corpus).where(corpus.c.campaign_id == self.number)
        return int(self.connection.execute(rows).scalar_one())

    def kept_data(self) -> Iterator[tuple[StreamKey, bytes]]:
        """The inputs kept, by stream and digest."""
        statement = (
            select(corpus.c.engine, corpus.c.target, corpus.c.data)
            .where(corpus.c.campaign_id == self.number, corpus.c.state == InputState.KEPT)
            .order_by(corpus.c.engine, corpus.c.target, corpus.c.digest)
        )
        for row in self.connection.execute(statement):
            yield (row.engine, row.target), row.data

    def kept(self) -> dict[StreamKey, tuple[str, ...]]:
        """Digests of the inputs kept, by stream, in ascending order."""
        statement = (
            select(corpus.c.engine, corpus.c.target, corpus.c.digest)
            .where(corpus.c.campaign_id == self.number, corpus.c.state == InputState.KEPT)
            .order_by(corpus.c.digest)
        )
        found: dict[StreamKey, list[str]] = {}
        for row in self.connection.execute(statement):
            found.setdefault((row.engine, row.target), []).append(row.digest)
        return {stream: tuple(digests) for stream, digests in found.items()}

    def mark(self, stream: StreamKey, digests: Sequence[str], state: InputState) -> None:
        """Move inputs to a state."""
        if digests:
            self.connection.execute(
                update(corpus)
                .where(
                    corpus.c.campaign_id == self.number,
                    corpus.c.engine == stream[0],
                    corpus.c.target == stream[1],
                    corpus.c.digest.in_(digests),
                )
                .values(state=state)
            )

    def known(self, stream: StreamKey) -> frozenset[int]:
        """Features that the stream has shown so far."""
        return known(self.connection, self.number, *stream)

    def cover(self, stream: StreamKey, features: frozenset[int]) -> None:
        """Note that the stream has shown exactly these ``features`` by now."""
        of_stream = {"campaign_id": self.number, "engine": stream[0], "target": stream[1]}
        values = {"features": pack(features), "count": len(features)}
        changed = self.connection.execute(
            update(coverage)
            .where(*(coverage.c[name] == value for name, value in of_stream.items()))
            .values(values)
        )
        if changed.rowcount == 0:
            self.connection.execute(insert(coverage).values(of_stream | values))
