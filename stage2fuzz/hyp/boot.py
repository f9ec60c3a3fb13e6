"""What is wrong with EL2 that does not start, or that objects to itself: in an engineer's words.

Its own check of ownership (``pkvm_ownership_selftest``) says only WARN; the line that warned, and
the line of the check that led there, say what was tried and what should have come of it.
"""

import ctypes
from itertools import takewhile
from pathlib import Path
from typing import Final

from stage2fuzz.hyp.build import HypLibrary
from stage2fuzz.kernel.abi import DEPTH
from stage2fuzz.kernel.lines import load_lines, write_lines
from stage2fuzz.source import SourceLine

SELFTEST: Final = "pkvm_ownership_selftest"
MOST_LETTERS: Final = 160


def boot_failure(library: HypLibrary, loaded: ctypes.CDLL) -> str:
    """Why the ``loaded`` library's EL2 is not believed: one line."""
    noted = (ctypes.c_uint32 * DEPTH)()
    result = loaded.s2_boot_failure(noted)
    stack = _stack(library, list(takewhile(bool, noted)))
    if not stack:
        return f"EL2's set-up returned {result}" if result else "EL2 warned as it was set up"
    place = stack[0]
    said = f"{place} warned{_quoted(library.tree, place)}"
    check = next((each for each in stack if each.function == SELFTEST), None)
    if check is None:
        return f"EL2 warned as it was set up: {said}"
    if check is not place:
        said += f", after {check}{_quoted(library.tree, check)}"
    return f"EL2's own check of page ownership found another state or result than it must: {said}"


def _stack(library: HypLibrary, noted: list[int]) -> list[SourceLine]:
    folder = library.path.parent
    lines = load_lines(folder)
    if lines is None and noted:
        write_lines(library.path)
        lines = load_lines(folder)
    return [place for address in noted for place in lines.at(address)] if lines else []


def _quoted(tree: Path, place: SourceLine) -> str:
    """The statement of the user's tree at a place; nothing where it can't be read."""
    try:
        text = (tree / place.file).read_text(errors="replace").splitlines()[place.line - 1]
    except (OSError, IndexError, ValueError):
        return ""
    words = " ".join(text.split())[:MOST_LETTERS]
    return f" ({words})" if words.isprintable() and place.line else ""
