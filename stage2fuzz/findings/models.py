"""Tables of the findings: one row for each fault of each engine, its history, its revisions.

A fault is named by its signature, not by the input that showed it, because one fault is found
thousands of times; the pair (engine, signature) is unique and the database enforces it. Times are
seconds since 1970 by the database's clock. ``Base`` is shared with the tables of the service.
"""

import json
from typing import Final

from sqlalchemy import (
    BigInteger,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

MAX_ENGINE: Final = 208
MAX_SIGNATURE: Final = 1000
"""Characters of a signature: an index of PostgreSQL holds no more than about 2,700 bytes."""
MAX_LABEL: Final = 80
MAX_KERNEL: Final = 80
MAX_NOTE: Final = 10_000
MAX_COMMIT: Final = 300
MAX_CHANNEL: Final = 64
MAX_PROOF_NAME: Final = 200


class Base(DeclarativeBase):
    """The one metadata that the migrations and the service's tables share."""


_Identity = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only where the key is a plain INTEGER."""


class Finding(Base):
    """One fault of one engine."""

    __tablename__ = "finding"
    __table_args__ = (
        UniqueConstraint("engine", "signature", name="uq_finding_signature"),
        Index("ix_finding_state", "state"),
        Index("ix_finding_by_signature", "signature"),
    )

    id: Mapped[int] = mapped_column(_Identity, primary_key=True)
    engine: Mapped[str] = mapped_column(String(MAX_ENGINE))
    signature: Mapped[str] = mapped_column(String(MAX_SIGNATURE))
    oracle: Mapped[str] = mapped_column(String(16))
    rule: Mapped[str] = mapped_column(String(120))
    category: Mapped[str] = mapped_column(String(16))
    verdict: Mapped[str] = mapped_column(Text)
    cause: Mapped[str] = mapped_column(Text, default="")
    """What went wrong, by whichever rules it shows; empty where nobody has told."""
    known: Mapped[str] = mapped_column(Text, default="")
    """The name of the known cause that it is on its engine; empty for news."""
    source: Mapped[str] = mapped_column(Text, default="")
    """The stack in the user's tree of the step that the verdict is about, as JSON; or empty."""
    case_text: Mapped[str] = mapped_column(Text)
    """The first case that showed it, as text; of the build that showed it last."""
    build: Mapped[str] = mapped_column(String(24), default="")
    """The build of a kernel engine whose schedules its cases hold; empty for a model."""
    events: Mapped[str] = mapped_column(Text)
    """The event log of that case."""
    minimised: Mapped[str] = mapped_column(Text, default="")
    """The smallest case that shows it; empty until minimised."""
    state: Mapped[str] = mapped_column(String(16))
    label: Mapped[str] = mapped_column(String(MAX_LABEL), default="")
    owner: Mapped[str] = mapped_column(String(MAX_LABEL), default="")
    duplicate_of: Mapped[int | None] = mapped_column(ForeignKey("finding.id"))
    count: Mapped[int] = mapped_column(BigInteger)
    """How often it was seen."""
    first_seen: Mapped[float] = mapped_column(Double)
    last_seen: Mapped[float] = mapped_column(Double)
    attempts: Mapped[int] = mapped_column(default=0)
    """Runs from scratch in a clean process."""
    confirmations: Mapped[int] = mapped_column(default=0)
    """Those of the attempts that showed the same signature."""
    reopened: Mapped[int] = mapped_column(default=0)
    """How often it was seen again after it had been called fixed."""
    first_seen_in: Mapped[str] = mapped_column(String(MAX_ENGINE), default="")
    """The oldest engine tried that shows it."""
    fixed_in: Mapped[str] = mapped_column(String(MAX_ENGINE), default="")
    """The engine in which it is gone."""
    introduced_by: Mapped[str] = mapped_column(String(MAX_COMMIT), default="")
    """The commit that brought it, as a Fixes line has it, and its date; empty until bisected."""
    fixed_by: Mapped[str] = mapped_column(String(MAX_COMMIT), default="")
    """The commit that ended it, likewise."""

    notes: Mapped[list["Note"]] = relationship(lazy="selectin", order_by="Note.id")
    regressions: Mapped[list["Regression"]] = relationship(
        lazy="selectin", order_by="Regression.position"
    )

    real: Mapped[list["RealAnswer"]] = relationship(lazy="selectin", order_by="RealAnswer.kernel")
    examples: Mapped[list["Example"]] = relationship(lazy="selectin", order_by="Example.id")

    @property
    def reproducer(self) -> str:
        """The best case there is: the minimised one, else the first."""
        return self.minimised or self.case_text


class Note(Base):
    """One line of a finding's history: a change of state, or what a person said."""

    __tablename__ = "finding_note"
    __table_args__ = (Index("ix_finding_note_finding", "finding_id"),)

    id: Mapped[int] = mapped_column(_Identity, primary_key=True)
    finding_id: Mapped[int] = mapped_column(ForeignKey("finding.id", ondelete="CASCADE"))
    at: Mapped[float] = mapped_column(Double)
    state: Mapped[str] = mapped_column(String(16))
    """The state the finding was in after this."""
    text: Mapped[str] = mapped_column(Text)


class Regression(Base):
    """Whether one engine shows a finding."""

    __tablename__ = "finding_regression"

    finding_id: Mapped[int] = mapped_column(
        ForeignKey("finding.id", ondelete="CASCADE"), primary_key=True
    )
    engine: Mapped[str] = mapped_column(String(MAX_ENGINE), primary_key=True)
    position: Mapped[int]
    """Place in the list of engines that was tried, oldest first."""
    outcome: Mapped[str] = mapped_column(String(16))
    """``present``, ``absent`` or ``unknown`` (the case cannot run there)."""
    checked: Mapped[float] = mapped_column(Double)


class RealAnswer(Base):
    """What one real kernel said of a finding when its schedule was forced on it, the last time."""

    __tablename__ = "finding_real"

    finding_id: Mapped[int] = mapped_column(
        ForeignKey("finding.id", ondelete="CASCADE"), primary_key=True
    )
    kernel: Mapped[str] = mapped_column(String(MAX_KERNEL), primary_key=True)
    """Its release, as it says itself."""
    answer: Mapped[str] = mapped_column(String(16))
    """``confirmed``, ``refuted`` or ``not reached``."""
    confirmed: Mapped[int]
    refuted: Mapped[int]
    missed: Mapped[int]
    """Runs that could not follow the schedule."""
    at: Mapped[float] = mapped_column(Double)


class Example(Base):
    """One more case that shows a finding, by another interleaving than the others."""

    __tablename__ = "finding_example"
    __table_args__ = (Index("ix_finding_example_finding", "finding_id"),)

    id: Mapped[int] = mapped_column(_Identity, primary_key=True)
    finding_id: Mapped[int] = mapped_column(ForeignKey("finding.id", ondelete="CASCADE"))
    case_text: Mapped[str] = mapped_column(Text)
    at: Mapped[float] = mapped_column(Double)


class Notice(Base):
    """That somebody was told of a finding: whom, and in which message."""

    __tablename__ = "finding_notice"

    finding_id: Mapped[int] = mapped_column(
        ForeignKey("finding.id", ondelete="CASCADE"), primary_key=True
    )
    channel: Mapped[str] = mapped_column(String(MAX_CHANNEL), primary_key=True)
    """A digest of kind and address: an address may hold a secret."""
    message: Mapped[str] = mapped_column(String(32))
    """Names the message; several findings may be told in one."""
    at: Mapped[float] = mapped_column(Double)


class SentMessage(Base):
    """That a channel was sent a message: what the brake counts.

    Apart from the notices, which go with a finding that is deleted or open again: whoever opens and
    closes one again and again must not have more messages by it.
    """

    __tablename__ = "sent_message"
    __table_args__ = (Index("ix_sent_message_channel", "channel", "at"),)

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    channel: Mapped[str] = mapped_column(String(MAX_CHANNEL))
    at: Mapped[float] = mapped_column(Double)


class KeptProof(Base):
    """What a search of every interleaving of one scenario said of one build."""

    __tablename__ = "proof"
    __table_args__ = (
        UniqueConstraint("engine", "build", "digest", "bounds", name="uq_proof"),
        Index("ix_proof_digest", "digest"),
    )

    id: Mapped[int] = mapped_column(_Identity, primary_key=True)
    engine: Mapped[str] = mapped_column(String(MAX_ENGINE))
    build: Mapped[str] = mapped_column(String(80))
    """Empty for a model."""
    digest: Mapped[str] = mapped_column(String(32))
    """Names the scenario on every engine."""
    bounds: Mapped[str] = mapped_column(String(80))
    name: Mapped[str] = mapped_column(String(MAX_PROOF_NAME))
    case_text: Mapped[str] = mapped_column(Text)
    """The scenario as a case; its schedule counts for nothing."""
    knowledge: Mapped[str] = mapped_column(String(16))
    statement: Mapped[str] = mapped_column(Text)
    not_seen: Mapped[str] = mapped_column(Text)
    """JSON: what was left out, a line each."""
    signatures: Mapped[str] = mapped_column(Text)
    """JSON: of what was found."""
    configs: Mapped[int] = mapped_column(BigInteger)
    classes: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float] = mapped_column(Double)
    at: Mapped[float] = mapped_column(Double)

    @property
    def found(self) -> list[str]:
        """The signatures."""
        return [str(each) for each in json.loads(self.signatures)]
