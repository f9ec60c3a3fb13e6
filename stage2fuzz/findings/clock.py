"""The database's clock: the one clock that coordinators and workers agree on.

Deadlines are compared where they are stored, so a worker with a wrong clock can't hold a lease too
long or take another's away. The value is seconds since 1970 as a float, in both databases, and it
moves on within a transaction.
"""

from typing import Any

from sqlalchemy import Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class now(FunctionElement[float]):  # noqa: N801 - used as a function of SQL
    """Seconds since 1970 by the database's clock."""

    type = Float()
    inherit_cache = True


@compiles(now, "sqlite")
def _sqlite(_element: now, _compiler: SQLCompiler, **_options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _postgresql(_element: now, _compiler: SQLCompiler, **_options: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"
