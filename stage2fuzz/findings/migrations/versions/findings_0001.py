"""The findings, their history and the engines they were tried on."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "finding",
        sa.Column("id", _IDENTITY, primary_key=True),
        sa.Column("engine", sa.String(208), nullable=False),
        sa.Column("signature", sa.String(1000), nullable=False),
        sa.Column("oracle", sa.String(16), nullable=False),
        sa.Column("rule", sa.String(120), nullable=False),
        sa.Column("category", sa.String(16), nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("case_text", sa.Text, nullable=False),
        sa.Column("events", sa.Text, nullable=False),
        sa.Column("minimised", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("duplicate_of", _IDENTITY, sa.ForeignKey("finding.id"), nullable=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("first_seen", sa.Double, nullable=False),
        sa.Column("last_seen", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("confirmations", sa.Integer, nullable=False),
        sa.Column("reopened", sa.Integer, nullable=False),
        sa.Column("first_seen_in", sa.String(208), nullable=False),
        sa.Column("fixed_in", sa.String(208), nullable=False),
        sa.UniqueConstraint("engine", "signature", name="uq_finding_signature"),
    )
    op.create_index("ix_finding_state", "finding", ["state"])
    op.create_index("ix_finding_by_signature", "finding", ["signature"])
    op.create_table(
        "finding_note",
        sa.Column("id", _IDENTITY, primary_key=True),
        sa.Column(
            "finding_id",
            _IDENTITY,
            sa.ForeignKey("finding.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("ix_finding_note_finding", "finding_note", ["finding_id"])
    op.create_table(
        "finding_regression",
        sa.Column(
            "finding_id",
            _IDENTITY,
            sa.ForeignKey("finding.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("engine", sa.String(208), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("checked", sa.Double, nullable=False),
    )


def downgrade() -> None:
    """Drop them again."""
    op.drop_table("finding_regression")
    op.drop_table("finding_note")
    op.drop_table("finding")
