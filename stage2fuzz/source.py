"""SourceLine: a place in the user's tree that an event of a run came from.

Only compiled engines know such places; the model's events have none. They are words for a reader:
nothing is judged by them, and no signature holds one, since a line moves with every patch.
"""

from typing import Any, Final, NamedTuple

MOST_CALLS: Final = 256
MOST_LETTERS: Final = 512
"""Of a function and its file."""


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


def spot(stack: Stack) -> str:
    """The innermost place as text; empty where there is none."""
    return str(stack[0]) if stack else ""


def route(stack: Stack) -> str:
    """The innermost place and, where the code of another file led there, the call in it."""
    outer = [each for each in stack if each.file != stack[0].file]
    return f"{stack[0]}, from {outer[-2] if len(outer) > 1 else outer[0]}" if outer else spot(stack)


def read_stack(value: Any) -> Stack:
    """A stack from another process, distrusted: ValueError or TypeError where it is none."""
    if not isinstance(value, list) or len(value) > MOST_CALLS:
        raise TypeError
    stack = []
    for each in value:
        function, file, line = each
        if not (isinstance(function, str) and isinstance(file, str) and type(line) is int):
            raise TypeError
        if not (function + file).isprintable() or len(function + file) > MOST_LETTERS or line < 0:
            raise ValueError
        stack.append(SourceLine(function, file, line))
    return tuple(stack)
