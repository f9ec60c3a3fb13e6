"""The commits that brought a finding and ended it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; nothing was bisected before."""
    for name in ("introduced_by", "fixed_by"):
        column = sa.Column(name, sa.String(300), nullable=False, server_default="")
        op.add_column("finding", column)


def downgrade() -> None:
    """Drop them again."""
    op.drop_column("finding", "fixed_by")
    op.drop_column("finding", "introduced_by")
