"""Alembic's door: migrate over the connection of ``database.migrate``, in its transaction."""

from alembic import context

from stage2fuzz.findings.database import VERSION_TABLE
from stage2fuzz.findings.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
)
context.run_migrations()
