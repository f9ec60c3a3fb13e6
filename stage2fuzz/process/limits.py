"""What a confined process may use, and all that it is told of its surroundings."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stage2fuzz.places import IMPORT_ROOT

INHERITED: Final = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "PYTHONHASHSEED")
"""The only variables of ours that a confined process gets as they are."""

CONFINED: Final = "STAGE2FUZZ_CONFINED"
"""Tells a process that it is confined, and may run a tree's code itself."""


def is_confined() -> bool:
    """Whether this process runs in a cage of ours."""
    return CONFINED in os.environ


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that the kernel enforces, or whoever waits for the process; 0 is no bound."""

    memory: int = 4 << 30
    """Bytes of address space of one process; CPython and libFuzzer map far more than they touch."""
    file: int = 64 << 20
    """Bytes of one file."""
    cpu: int = 0
    """Seconds of CPU time of one process."""
    processes: int = 512
    """Processes and threads; the kernel bounds root's by nothing but a container's own limit."""
    folder: int = 256 << 20
    """Bytes that all files of its folder may have together."""
    niceness: int = 0
    """How far it stands back where cores are short (nice(2))."""


def environment(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """All that a confined process may know of us: no address, no password, no home.

    The cache of built trees is named, or each process with a home of its own would build anew.
    """
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return kept | {
        "PYTHONPATH": str(IMPORT_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_CACHE_HOME": cache,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        CONFINED: "1",
        **(more or {}),
    }
