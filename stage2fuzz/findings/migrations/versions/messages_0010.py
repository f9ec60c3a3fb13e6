"""Messages that people were sent, apart from the findings that they told of."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; what is known to have been sent counts on."""
    op.create_table(
        "sent_message",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("ix_sent_message_channel", "sent_message", ["channel", "at"])
    op.execute(
        "INSERT INTO sent_message (name, channel, at) "
        "SELECT message, min(channel), max(at) FROM finding_notice GROUP BY message"
    )


def downgrade() -> None:
    """Drop it again."""
    op.drop_index("ix_sent_message_channel", "sent_message")
    op.drop_table("sent_message")
