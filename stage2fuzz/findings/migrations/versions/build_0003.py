"""The build of a kernel engine that a finding's case belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of the findings that are there no build is known."""
    build = sa.Column("build", sa.String(24), nullable=False, server_default="")
    op.add_column("finding", build)


def downgrade() -> None:
    """Drop it again."""
    op.drop_column("finding", "build")
