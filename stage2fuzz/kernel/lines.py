"""Which lines of the user's tree the instructions of a built library belong to.

The table is made once, when the library is built: binutils read its DWARF, inlined functions
included, and whoever replays a case needs no tool. A build without binutils' ``objdump`` and
``addr2line`` has no table, and its events no places; everything else works.
"""

import json
import re
import shutil
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from stage2fuzz.kernel.toolchain import run_command
from stage2fuzz.source import SourceLine, Stack

LINES: Final = "lines.json"
TREE: Final = "/tree/"
"""What the compiler is told to call the tree, so that a library names no folder of its builder."""
TOOLS: Final = ("objdump", "addr2line")
_INSTRUCTION: Final = re.compile(r"^\s*([0-9a-f]+):", re.MULTILINE)
_PLACE: Final = re.compile(rf"^{TREE}(.+?):(\d+|\?)")


@dataclass(frozen=True, slots=True)
class Lines:
    """Ranges of instructions, each with the user's functions that it is in."""

    starts: list[int]
    """Where each range starts, ascending."""
    ranges: list[int]
    """The number of each range's stack."""
    stacks: list[Stack]

    def at(self, address: int) -> Stack:
        """The user's functions at an offset into the library, innermost first."""
        found = bisect_right(self.starts, address) - 1
        return self.stacks[self.ranges[found]] if found >= 0 else ()


def write_lines(library: Path) -> None:
    """Write the table of ``library`` beside it, unless a tool for that is missing."""
    if not all(map(shutil.which, TOOLS)):
        return
    code = run_command(["objdump", "-d", "--no-show-raw-insn", str(library)]).stdout
    asked = "".join(f"0x{found}\n" for found in _INSTRUCTION.findall(code))
    told = run_command(["addr2line", "-a", "-f", "-i", "-e", str(library)], asked).stdout
    stacks: dict[tuple[tuple[str, str, int], ...], int] = {}
    starts: list[int] = []
    ranges: list[int] = []
    for address, stack in _answers(told):
        number = stacks.setdefault(stack, len(stacks))
        if not ranges or ranges[-1] != number:
            starts.append(address)
            ranges.append(number)
    table = {"starts": starts, "ranges": ranges, "stacks": list(stacks)}
    (library.parent / LINES).write_text(json.dumps(table))


def load_lines(folder: Path) -> Lines | None:
    """The table of the library in ``folder``; None where there is none that can be read."""
    try:
        table = json.loads((folder / LINES).read_bytes())
        stacks = [
            tuple(SourceLine(str(name), str(file), int(line)) for name, file, line in stack)
            for stack in table["stacks"]
        ]
        starts, ranges = list(map(int, table["starts"])), list(map(int, table["ranges"]))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    whole = len(starts) == len(ranges) and all(before < after for before, after in pairwise(starts))
    return Lines(starts, ranges, stacks) if whole and _within(ranges, len(stacks)) else None


def _within(numbers: list[int], limit: int) -> bool:
    return all(0 <= number < limit for number in numbers)


def _answers(told: str) -> list[tuple[int, tuple[tuple[str, str, int], ...]]]:
    """addr2line's answers: each address with its (function, file, line), innermost first."""
    answers: list[tuple[int, tuple[tuple[str, str, int], ...]]] = []
    address, names = -1, ""
    stack: list[tuple[str, str, int]] = []
    for line in told.splitlines():
        if line.startswith("0x"):
            if address >= 0:
                answers.append((address, tuple(stack)))
            address, names, stack = int(line, 16), "", []
        elif not names:
            names = line
        else:
            if place := _PLACE.match(line):
                number = 0 if place[2] == "?" else int(place[2])
                stack.append((names, place[1], number))
            names = ""
    if address >= 0:
        answers.append((address, tuple(stack)))
    return answers
