"""Compiling files of a tree outside it: headers that nobody serves, headers of ours, complaints."""

import re
import subprocess
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from stage2fuzz.arch import GRANULE_4K, TranslationGranule
from stage2fuzz.errors import InputError
from stage2fuzz.kernel import abi
from stage2fuzz.kernel.cache import check_room
from stage2fuzz.kernel.diagnostics import complaint
from stage2fuzz.kernel.numbers import header

INCLUDE: Final = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', re.MULTILINE)


def write_headers(folder: Path, granule: TranslationGranule = GRANULE_4K) -> None:
    """The headers of the runtime that are written from Python."""
    (folder / "numbers.h").write_text(header(granule))
    (folder / "abi.h").write_text(abi.header())


def write_stubs(
    stubs: Path,
    sources: Iterable[Path],
    served: Collection[str],
    ours: Collection[Path],
    folders: Collection[Path] = (),
) -> None:
    """Make the folder ``stubs``, with an empty header for each include of ``sources``, and of what
    they include, that nobody has: it is none of those ``served``, in no folder of ``ours``, and
    neither in one of the tree's ``folders`` nor beside the file that asks for it."""
    waiting, seen = list(sources), set[str]()
    stubs.mkdir()
    while waiting:
        path = waiting.pop()
        if not path.is_file():
            continue
        for name in INCLUDE.findall(path.read_text(errors="replace")):
            if name in seen or name.startswith(".."):
                continue
            seen.add(name)
            if name in served or any((folder / name).is_file() for folder in ours):
                continue
            theirs = [folder / name for folder in (*folders, path.parent)]
            found = next((each for each in theirs if each.is_file()), None)
            if found is not None:
                waiting.append(found)
                continue
            (stubs / name).parent.mkdir(parents=True, exist_ok=True)
            (stubs / name).touch()


def check_compiled(
    where: str, work: Path, done: subprocess.CompletedProcess[str], right: str
) -> None:
    """InputError where the compiler did not succeed, with the identifiers that it lacks."""
    if not done.returncode:
        return
    check_room(work, done.stderr)
    raise InputError(where, complaint(done.stderr), right)
