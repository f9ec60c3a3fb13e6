"""What was proved of which tree."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_KEY = ("engine", "build", "digest", "bounds")


def upgrade() -> None:
    """Create the table: nobody has proved anything yet."""
    op.create_table(
        "proof",
        sa.Column("id", _IDENTITY, primary_key=True),
        sa.Column("engine", sa.String(208), nullable=False),
        sa.Column("build", sa.String(80), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("bounds", sa.String(80), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("case_text", sa.Text, nullable=False),
        sa.Column("knowledge", sa.String(16), nullable=False),
        sa.Column("statement", sa.Text, nullable=False),
        sa.Column("not_seen", sa.Text, nullable=False),
        sa.Column("signatures", sa.Text, nullable=False),
        sa.Column("configs", sa.BigInteger, nullable=False),
        sa.Column("classes", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.UniqueConstraint(*_KEY, name="uq_proof"),
    )
    op.create_index("ix_proof_digest", "proof", ["digest"])


def downgrade() -> None:
    """Drop it again."""
    op.drop_index("ix_proof_digest", "proof")
    op.drop_table("proof")
