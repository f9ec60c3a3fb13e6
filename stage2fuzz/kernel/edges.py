"""Which lines of the user's tree were run: the compiler's edge counters, read by line.

A counter belongs to a block of code, its table to addresses, and the library's table of lines says
where in the tree those are. A line of a block that nobody counted (the compiler merged it away) is
in neither count.
"""

import ctypes
import struct
from collections.abc import Iterable
from typing import Final

from stage2fuzz.kernel.lines import Lines
from stage2fuzz.source import SourceLine

_ENTRY: Final = struct.Struct("<QQ")
"""Of the table of PCs: the address of a block, and flags."""


class _Where(ctypes.Structure):
    """``Dl_info`` of dladdr(3)."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


class EdgeCounters:
    """The counters of one loaded library, and which of them ever moved."""

    def __init__(self, ranges: tuple[int, int, int, int]) -> None:
        """``ranges`` are those of ``EdgeCountingEngine.coverage``."""
        self._begin, end, table, table_end = ranges
        self._size = end - self._begin
        self._hit = bytearray(self._size)
        data = ctypes.string_at(table, table_end - table)
        base = _base(table)
        self._blocks = [address - base for address, _ in _ENTRY.iter_unpack(data)]
        self.clear()

    def clear(self) -> None:
        """Before a run: a counter has 8 bits, and one that came round to 0 would say nothing."""
        ctypes.memset(self._begin, 0, self._size)

    def note(self) -> None:
        """After a run: keep which blocks it went through."""
        counted = ctypes.string_at(self._begin, self._size)
        for number, count in enumerate(counted):
            if count:
                self._hit[number] = 1

    def lines(self, table: Lines) -> Iterable[tuple[SourceLine, bool]]:
        """Each line that a block belongs to, inlined functions' callers included, and whether any
        of its blocks was run."""
        found: dict[SourceLine, bool] = {}
        for block, hit in zip(self._blocks, self._hit, strict=True):
            for line in table.at(block):
                if line.line:
                    found[line] = found.get(line, False) or bool(hit)
        return sorted(found.items(), key=lambda each: (each[0].file, each[0].line))


def _base(address: int) -> int:
    """Where the library that holds an address is loaded."""
    where = _Where()
    found = ctypes.CDLL(None).dladdr(ctypes.c_void_p(address), ctypes.byref(where))
    return int(where.base or 0) if found else 0
