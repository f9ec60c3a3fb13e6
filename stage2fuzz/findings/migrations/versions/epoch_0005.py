"""The epoch under which a result was written: the proof that its lease was still held."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; 0 stands for a result of before, or one that no worker wrote."""
    epoch = sa.Column("epoch", sa.Integer, nullable=False, server_default="0")
    op.add_column("lease_result", epoch)


def downgrade() -> None:
    """Drop it again."""
    op.drop_column("lease_result", "epoch")
