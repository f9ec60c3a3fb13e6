"""Which memory of an engine's library is the state of its machine: all that is writable, but for
what is named here with the reason.

A search keeps and restores it (``runtime/snapshot.c``). What a module adds later is kept without
being named, so that nothing is missed; what is large and no state must be named here, or the search
becomes slow, which a test sees.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from stage2fuzz.errors import ModelError

ANCHOR: Final = "s2_interface"
"""The function that addresses are told relative to."""
NO_STATE: Final = {
    # Kept by snapshot.c itself, as far as they are in use.
    "s2_arena": "words.h tells which words ever changed",
    "s2_page_table": "kept up to the last page that was used",
    "scratch": "kept up to the last structure",
    "s2_tlb": "kept as far as TLBIs are waiting",
    "s2_rcu": "kept as far as frees are waiting",
    "window": "kept where the scenario has a TLB",
    # The same in all runs of a scenario.
    "s2_scenario": "read once",
    "s2_options": "set by the scenario",
    "s2_sites": "where events came from",
    "s2_words": "what the search notes",
    "noted": "what the search notes",
    # Worked out anew from the events of a run.
    "places": "emptied before each use",
    "named": "emptied before each use",
    "stamp": "tells one use of the places from another",
    "fold_page": "emptied before each use",
    "dropped": "emptied before each use",
    "lasso": "emptied before each use",
    "seen_features": "of all runs of a process",
    "classes": "of all runs of a process",
    # The search's own, and the guard's.
    "frames": "the search's path",
    "opened": "the search's open components",
    "opened_count": "the search's open components",
    "opened_room": "the search's open components",
    "search": "the search's figures",
    "configs": "where the search was",
    "pool": "snapshots",
    "pool_size": "snapshots",
    "pool_used": "snapshots",
    "kept": "what a snapshot keeps",
    "kept_count": "what a snapshot keeps",
    "keyed": "what a key is made of",
    "keyed_count": "what a key is made of",
    "reading": "while a snapshot is read",
    "gathered": "while a key is made",
    "s2_most_faults": "set for a search",
    "s2_refills": "set for a search",
    "s2_guard": "whether kernel code runs",
    "s2_door": "where a failed assertion goes on",
    "before": "signal handlers",
    "signal_stack": "signal handlers",
    "last_seen": "the guard's clock",
    "progress": "the guard's clock",
    "running": "where another process reads the seed",
    "nowhere": "where another process reads the seed",
}
SECTIONS: Final = (".data", ".bss")
"""Where a library's own writable memory is; the compiler's edge counters have sections of theirs,
and more sections of the kernel's code begin with one of these names and a dot."""
OBJECT: Final = 1
"""A symbol's type in ELF."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol of the library."""

    name: str
    kind: int
    section: int
    address: int
    size: int


@lru_cache(maxsize=8)
def state_memory(library: Path) -> tuple[tuple[int, int], ...]:
    """Pieces of memory, as an offset from ``ANCHOR`` and a size."""
    sections, symbols = read_elf(library.read_bytes())
    (anchor,) = {each.address for each in symbols if each.name == ANCHOR}
    writable = [
        (start, end)
        for name, start, end in sections
        if name.startswith(SECTIONS) and not name.startswith(".data.rel.ro")
    ]
    pieces = sorted(
        (each.address, each.size)
        for each in symbols
        if each.kind == OBJECT
        and each.size
        and plain(each.name) not in NO_STATE
        and any(start <= each.address < end for start, end in writable)
    )
    return tuple((address - anchor, size) for address, size in pieces)


def plain(name: str) -> str:
    """A symbol's name in the source: compilers number what is static in a function."""
    return name.split(".", 1)[0]


def read_elf(data: bytes) -> tuple[list[tuple[str, int, int]], list[Symbol]]:
    """The sections (name, start, end) and symbols of a library for a 64-bit machine."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise ModelError("the library is no little-endian ELF of 64 bits")
    (offset,) = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    rows = [struct.unpack_from("<IIQQQQIIQQ", data, offset + size * i) for i in range(count)]
    text = rows[names][4]
    sections = [(_text(data, text + row[0]), row[3], row[3] + row[5]) for row in rows]
    symbols = [each for row in rows if row[1] == 2 for each in _symbols(data, rows, row)]
    return sections, symbols


def _symbols(data: bytes, rows: list[tuple[int, ...]], table: tuple[int, ...]) -> Iterator[Symbol]:
    names = rows[table[6]][4]
    for at in range(table[4], table[4] + table[5], 24):
        name, info, _, section, address, size = struct.unpack_from("<IBBHQQ", data, at)
        yield Symbol(_text(data, names + name), info & 15, section, address, size)


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()
