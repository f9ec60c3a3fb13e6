"""The database of a command, opened when its work begins: SQLAlchemy takes half a second to import.

A command that only shows its help, or reads a file, pays nothing of that.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stage2fuzz.findings.store import Store


def open_store(database: str, create: bool = False) -> "Store":
    """The findings of ``database``, made first where ``create`` says; InputError if it is none."""
    from stage2fuzz.findings.store import Store

    return Store.open(database, create)
