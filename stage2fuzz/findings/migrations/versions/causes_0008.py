"""What a finding's cause is, which known one that is, and the lines of the tree that show it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COLUMNS = ("cause", "known", "source")


def upgrade() -> None:
    """Add them; of the findings that are there they are not known until they are seen again."""
    for name in COLUMNS:
        op.add_column("finding", sa.Column(name, sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    """Drop them again."""
    for name in reversed(COLUMNS):
        op.drop_column("finding", name)
