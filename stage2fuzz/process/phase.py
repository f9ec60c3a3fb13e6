"""What a process is at, as its name: ``ps`` and ``top`` show it, and a benchmark counts by it."""

import ctypes
import sys
from typing import Final

PR_SET_NAME: Final = 15
MOST: Final = 15
"""Bytes of a name that the kernel keeps."""


def show_phase(what: str) -> None:
    """Name this process after ``what`` it is at from now on, where the system has such names."""
    if sys.platform == "linux":
        name = ctypes.create_string_buffer(what.encode()[:MOST])
        ctypes.CDLL(None).prctl(PR_SET_NAME, name, 0, 0, 0)
