"""The name under which this program was called, so that every hint works as typed."""

import os
import re
import shlex

from stage2fuzz.cli.options import DATABASE_VARIABLE, DEFAULT_DATABASE

VARIABLE = "STAGE2FUZZ_COMMAND"
"""Set by the ``run`` script of a checkout to what was typed for it."""


def program() -> str:
    """``stage2fuzz``, or the way to the ``run`` script that was typed."""
    return shlex.quote(os.environ.get(VARIABLE) or "stage2fuzz")


def hint(arguments: str, database: str = "") -> str:
    """A command to type next, on the same database where it is not the one taken by itself."""
    told = f"{program()} {arguments}"
    if database in ("", DEFAULT_DATABASE, os.environ.get(DATABASE_VARIABLE)):
        return told
    return f"{told} --database {shlex.quote(shown(database))}"


def shown(database: str) -> str:
    """A database's URL without its password."""
    return re.sub(r"(://[^:/@]*:)[^@]*@", r"\1***@", database)


def examples(*arguments: str) -> str | None:
    """The end of a command's help: these lines, ready to be typed."""
    if not arguments:
        return None
    lines = "\n".join(f"  {program()} {each}" for each in arguments)
    return f"\b\nExamples:\n{lines}"
