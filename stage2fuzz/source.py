"""SourceLine: a place in the user's tree that an event of a run came from.

Only compiled engines know such places; the model's events have none. They are words for a reader:
nothing is judged by them, and no signature holds one, since a line moves with every patch.
"""

from collections.abc import Sequence
from typing import NamedTuple


class SourceLine(NamedTuple):
    """A function of the user's tree, and the line in it."""

    function: str
    file: str
    """Path inside the tree."""
    line: int
    """0 where the compiler left none."""

    def __str__(self) -> str:
        """As an engineer names it: ``mmu.c:1661 user_mem_abort``."""
        name = self.file.rpartition("/")[2]
        return f"{name}:{self.line} {self.function}" if self.line else f"{name} {self.function}"

    def to_record(self) -> dict[str, str | int]:
        """For a program."""
        return {"file": self.file, "line": self.line, "function": self.function}


Stack = tuple[SourceLine, ...]
"""The user's functions that were running, innermost first, inlined ones included; empty where an
event came from no code of the user's tree, such as the guest's accesses."""


def innermost(stacks: Sequence[Stack], event: int) -> SourceLine | None:
    """Where an event came from; None where that is not the user's code, or is not known."""
    return stacks[event][0] if event < len(stacks) and stacks[event] else None


def entry(stack: Stack) -> SourceLine | None:
    """The place in ``mmu.c`` that a step of ``pgtable.c`` was called from, if there is one."""
    inside = stack[0].file if stack else ""
    return next((each for each in stack if each.file != inside), None)
