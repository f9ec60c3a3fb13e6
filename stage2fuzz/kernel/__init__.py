"""The user's real kernel code as an engine: ``kernel:TREE``.

Needs a C compiler and a Linux tree, so nothing outside this package imports it at start.
"""

from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.opener import open_engine

__all__ = ["KernelEngine", "open_engine"]
