"""The name under which this program was called, so that every hint works as typed."""

import os
import shlex

VARIABLE = "STAGE2FUZZ_COMMAND"
"""Set by the ``run`` script of a checkout to what was typed for it."""


def program() -> str:
    """``stage2fuzz``, or the way to the ``run`` script that was typed."""
    return shlex.quote(os.environ.get(VARIABLE) or "stage2fuzz")


def examples(*arguments: str) -> str | None:
    """The end of a command's help: these lines, ready to be typed."""
    if not arguments:
        return None
    lines = "\n".join(f"  {program()} {each}" for each in arguments)
    return f"\b\nExamples:\n{lines}"
