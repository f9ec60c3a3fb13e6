"""Which service works for a campaign, and which orders reported a finding."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add them; every campaign and worker that is there belongs to the shared service."""
    for table in ("campaign", "worker"):
        service = sa.Column("service", sa.String(40), nullable=False, server_default="")
        op.add_column(table, service)
    part = sa.Column("part", sa.String(16), nullable=False, server_default="worker")
    op.add_column("worker", part)
    op.create_table(
        "lease_report",
        sa.Column("lease_id", _IDENTITY, sa.ForeignKey("lease.id"), primary_key=True),
        sa.Column(
            "finding_id",
            _IDENTITY,
            sa.ForeignKey("finding.id", ondelete="CASCADE"),
            primary_key=True,
        ),
    )


def downgrade() -> None:
    """Drop them again."""
    op.drop_table("lease_report")
    op.drop_column("worker", "part")
    op.drop_column("worker", "service")
    op.drop_column("campaign", "service")
