"""Tables of the service: campaigns, leases, results, corpus, coverage, samples, workers.

The broker may lose or double what it likes, because everything that matters stands here. A lease
is an order together with who holds it until when; its ``epoch`` grows with each claim, so that the
write of a worker that was given up is recognised and refused.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from stage2fuzz.findings.models import Base

IDENTITY: Final = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only where the key is a plain INTEGER."""

campaign = Table(
    "campaign",
    Base.metadata,
    Column("id", IDENTITY, primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("spec", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created", Float, nullable=False),
    Column("ticked", Float, nullable=False),
    Column("elapsed", Float, nullable=False),
    Column("planned", BigInteger, nullable=False),
    Column("schedules", BigInteger, nullable=False),
    Column("fuzz_seconds", Float, nullable=False),
    Column("findings", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("service", String(40), nullable=False, default=""),
)

lease = Table(
    "lease",
    Base.metadata,
    Column("id", IDENTITY, primary_key=True),
    Column("campaign_id", IDENTITY, ForeignKey("campaign.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("label", String(300), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("owner", String(120), nullable=False),
    Column("deadline", Float, nullable=False),
    Column("announced", Float, nullable=False),
    Column("failure", Text, nullable=False),
    UniqueConstraint("campaign_id", "label", name="uq_lease_label"),
    Index("ix_lease_state", "campaign_id", "state"),
)

result = Table(
    "lease_result",
    Base.metadata,
    Column("lease_id", IDENTITY, ForeignKey("lease.id"), primary_key=True),
    Column("campaign_id", IDENTITY, ForeignKey("campaign.id"), nullable=False),
    Column("body", Text, nullable=False),
    Column("committed", Float, nullable=False),
    Column("merged", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False, default=0),
    Index("ix_result_merged", "campaign_id", "merged"),
)

lease_report = Table(
    "lease_report",
    Base.metadata,
    Column("lease_id", IDENTITY, ForeignKey("lease.id"), primary_key=True),
    Column("finding_id", IDENTITY, ForeignKey("finding.id", ondelete="CASCADE"), primary_key=True),
)
"""Which orders reported a finding: an order that runs twice counts once."""

corpus = Table(
    "corpus_input",
    Base.metadata,
    Column("campaign_id", IDENTITY, ForeignKey("campaign.id"), primary_key=True),
    Column("engine", String(208), primary_key=True),
    Column("target", String(80), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("features", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Index("ix_corpus_state", "campaign_id", "state"),
)

coverage = Table(
    "coverage",
    Base.metadata,
    Column("campaign_id", IDENTITY, ForeignKey("campaign.id"), primary_key=True),
    Column("engine", String(208), primary_key=True),
    Column("target", String(80), primary_key=True),
    Column("features", LargeBinary, nullable=False),
    Column("count", Integer, nullable=False),
)

sample = Table(
    "sample",
    Base.metadata,
    Column("id", IDENTITY, primary_key=True),
    Column("campaign_id", IDENTITY, ForeignKey("campaign.id"), nullable=False),
    Column("elapsed", Float, nullable=False),
    Column("schedules", BigInteger, nullable=False),
    Column("features", Integer, nullable=False),
    Column("inputs", Integer, nullable=False),
    Column("findings", Integer, nullable=False),
    Index("ix_sample_campaign", "campaign_id", "elapsed"),
)

sighting = Table(
    "sighting",
    Base.metadata,
    Column("campaign_id", IDENTITY, ForeignKey("campaign.id"), primary_key=True),
    Column("finding_id", IDENTITY, ForeignKey("finding.id", ondelete="CASCADE"), primary_key=True),
    Column("elapsed", Float, nullable=False),
)

worker = Table(
    "worker",
    Base.metadata,
    Column("name", String(120), primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("started", Float, nullable=False),
    Column("seen", Float, nullable=False),
    Column("service", String(40), nullable=False, default=""),
    Column("part", String(16), nullable=False),
)
