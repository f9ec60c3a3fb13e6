"""Which memory of an engine's library is the state of its machine: all that is writable, but for
what is named here with the reason.

A search keeps and restores it (``runtime/snapshot.c``). What a module adds later is kept without
being named, so that nothing is missed; what is large and no state must be named here, or the search
becomes slow, which a test sees.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

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
    "s2_storebuffers": "kept as far as stores are waiting",
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


@dataclass(frozen=True, slots=True)
class LibrarySymbol:
    """A function or variable of the library."""

    name: str
    """As in the source."""
    address: int
    size: int
    writable: bool
    """It is a variable that may change."""


@lru_cache(maxsize=8)
def state_memory(library: Path) -> tuple[tuple[int, int], ...]:
    """Pieces of memory, as an offset from ``ANCHOR`` and a size."""
    symbols = symbols_of(library)
    (anchor,) = {each.address for each in symbols if each.name == ANCHOR}
    pieces = sorted(
        (each.address - anchor, each.size)
        for each in symbols
        if each.writable and each.size and each.name not in NO_STATE
    )
    return tuple(pieces)


def symbols_of(library: Path) -> list[LibrarySymbol]:
    """The library's own functions and variables."""
    with library.open("rb") as file:
        read = ELFFile(file)
        names = [section.name for section in read.iter_sections()]
        table = read.get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            raise ModelError(f"{library} was stripped of its symbols")
        return [
            LibrarySymbol(
                plain(each.name),
                each["st_value"],
                each["st_size"],
                each["st_info"]["type"] == "STT_OBJECT" and is_writable(names[each["st_shndx"]]),
            )
            for each in table.iter_symbols()
            if isinstance(each["st_shndx"], int) and each["st_shndx"] < len(names)
        ]


def is_writable(section: str) -> bool:
    """Whether a section is memory that the code writes: what only the linker fills is none."""
    return section.startswith(SECTIONS) and not section.startswith(".data.rel.ro")


def plain(name: str) -> str:
    """A symbol's name in the source: compilers number what is static in a function."""
    return name.split(".", 1)[0]
