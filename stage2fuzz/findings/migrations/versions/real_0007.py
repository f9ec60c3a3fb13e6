"""What real kernels said of a finding."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table; no finding was tried on a real kernel before."""
    op.create_table(
        "finding_real",
        sa.Column(
            "finding_id",
            _IDENTITY,
            sa.ForeignKey("finding.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("kernel", sa.String(80), primary_key=True),
        sa.Column("answer", sa.String(16), nullable=False),
        sa.Column("confirmed", sa.Integer, nullable=False),
        sa.Column("refuted", sa.Integer, nullable=False),
        sa.Column("missed", sa.Integer, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("finding_real")
