"""The service: campaigns, leases and their results, corpus, coverage, samples, workers."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = (
    "worker",
    "sighting",
    "sample",
    "coverage",
    "corpus_input",
    "lease_result",
    "lease",
    "campaign",
)


def upgrade() -> None:
    """Create the tables of the service."""
    op.create_table(
        "campaign",
        sa.Column("id", _IDENTITY, primary_key=True),
        sa.Column("name", sa.String(80), nullable=False, unique=True),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("ticked", sa.Float, nullable=False),
        sa.Column("elapsed", sa.Float, nullable=False),
        sa.Column("planned", sa.BigInteger, nullable=False),
        sa.Column("schedules", sa.BigInteger, nullable=False),
        sa.Column("fuzz_seconds", sa.Float, nullable=False),
        sa.Column("findings", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "lease",
        sa.Column("id", _IDENTITY, primary_key=True),
        sa.Column("campaign_id", _IDENTITY, sa.ForeignKey("campaign.id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("label", sa.String(300), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("owner", sa.String(120), nullable=False),
        sa.Column("deadline", sa.Float, nullable=False),
        sa.Column("announced", sa.Float, nullable=False),
        sa.Column("failure", sa.Text, nullable=False),
        sa.UniqueConstraint("campaign_id", "label", name="uq_lease_label"),
    )
    op.create_index("ix_lease_state", "lease", ["campaign_id", "state"])
    op.create_table(
        "lease_result",
        sa.Column("lease_id", _IDENTITY, sa.ForeignKey("lease.id"), primary_key=True),
        sa.Column("campaign_id", _IDENTITY, sa.ForeignKey("campaign.id"), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("committed", sa.Float, nullable=False),
        sa.Column("merged", sa.Boolean, nullable=False),
    )
    op.create_index("ix_result_merged", "lease_result", ["campaign_id", "merged"])
    op.create_table(
        "corpus_input",
        sa.Column("campaign_id", _IDENTITY, sa.ForeignKey("campaign.id"), primary_key=True),
        sa.Column("engine", sa.String(208), primary_key=True),
        sa.Column("target", sa.String(80), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("features", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
    )
    op.create_index("ix_corpus_state", "corpus_input", ["campaign_id", "state"])
    op.create_table(
        "coverage",
        sa.Column("campaign_id", _IDENTITY, sa.ForeignKey("campaign.id"), primary_key=True),
        sa.Column("engine", sa.String(208), primary_key=True),
        sa.Column("target", sa.String(80), primary_key=True),
        sa.Column("features", sa.LargeBinary, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
    )
    op.create_table(
        "sample",
        sa.Column("id", _IDENTITY, primary_key=True),
        sa.Column("campaign_id", _IDENTITY, sa.ForeignKey("campaign.id"), nullable=False),
        sa.Column("elapsed", sa.Float, nullable=False),
        sa.Column("schedules", sa.BigInteger, nullable=False),
        sa.Column("features", sa.Integer, nullable=False),
        sa.Column("inputs", sa.Integer, nullable=False),
        sa.Column("findings", sa.Integer, nullable=False),
    )
    op.create_index("ix_sample_campaign", "sample", ["campaign_id", "elapsed"])
    op.create_table(
        "sighting",
        sa.Column("campaign_id", _IDENTITY, sa.ForeignKey("campaign.id"), primary_key=True),
        sa.Column(
            "finding_id",
            _IDENTITY,
            sa.ForeignKey("finding.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("elapsed", sa.Float, nullable=False),
    )
    op.create_table(
        "worker",
        sa.Column("name", sa.String(120), primary_key=True),
        sa.Column("slots", sa.Integer, nullable=False),
        sa.Column("started", sa.Float, nullable=False),
        sa.Column("seen", sa.Float, nullable=False),
    )


def downgrade() -> None:
    """Drop them again."""
    for name in _TABLES:
        op.drop_table(name)
