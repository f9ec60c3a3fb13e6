"""More cases of a finding, and which findings whom was told of."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _finding(primary: bool) -> sa.Column[int]:
    owner = sa.ForeignKey("finding.id", ondelete="CASCADE")
    return sa.Column("finding_id", _IDENTITY, owner, primary_key=primary, nullable=False)


def upgrade() -> None:
    """Create both tables: old findings have one example, and nobody was told of any."""
    op.create_table(
        "finding_example",
        sa.Column("id", _IDENTITY, primary_key=True),
        _finding(primary=False),
        sa.Column("case_text", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("ix_finding_example_finding", "finding_example", ["finding_id"])
    op.create_table(
        "finding_notice",
        _finding(primary=True),
        sa.Column("channel", sa.String(64), primary_key=True),
        sa.Column("message", sa.String(32), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )


def downgrade() -> None:
    """Drop them again."""
    op.drop_table("finding_notice")
    op.drop_index("ix_finding_example_finding", "finding_example")
    op.drop_table("finding_example")
