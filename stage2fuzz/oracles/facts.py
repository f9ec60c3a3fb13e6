"""The words in which the world tells its facts: types, sizes, and what it announces."""

from collections.abc import Callable
from typing import Final

from stage2fuzz.arch import LAST_LEVEL
from stage2fuzz.window import Entry

SHIFTS: Final = tuple(12 + 9 * (LAST_LEVEL - level) for level in range(LAST_LEVEL + 1))
GRANULES: Final = tuple(1 << shift for shift in SHIFTS)
ROOT_SPAN_SHIFT: Final = 9
"""A root page holds 2**9 entries."""

PROT_X: Final = 1
PROT_W: Final = 2
PROT_R: Final = 4
PROT_DEVICE: Final = 8
"""enum kvm_pgtable_prot, as calls of map and relax carry it."""

Fault = tuple[int, int, int, int, int]
"""(event, IPA, READ/WRITE/EXECUTE, TRANSLATION/..., level): the fault a vCPU is handling."""
Call = tuple[int, int, int, int, int, int, "Call | None"]
"""(event, CALL_*, first IPA, bytes, argument, PROT_*, the call around it)."""
Slot = tuple[int, int, int, int]
"""(first IPA, end, SLOT_* flags, event that published it)."""
Backing = tuple[int, int, int, int, int]
"""(first IPA, end, host address, HOST_* flags, event)."""
LeafHandler = Callable[[int, int, int, int, int, int, int], None]
"""(event, thread, location, old, new, level, IPA)."""
UnlinkHandler = Callable[[int, int, int, int, int, int, list[Entry]], None]
"""(event, thread, location, old, level, IPA, valid entries below, outermost first)."""
PrivateHandler = Callable[[int, int, int, int, int], None]
"""(event, thread, location, old, new)."""
LockHandler = Callable[[int, int, int, tuple[int, ...]], None]
"""(event, thread, LOCK_*, locks held already)."""
Pending = tuple[int, int, Fault | None, Call | None]
"""(event, value, fault and call in which it was stored)."""
Break = tuple[int, int, int]
"""(event, thread, old leaf): a leaf made invalid inside a call that maps."""

SEMANTIC: Final = (
    "replaced",
    "leaf_installed",
    "leaf_changed",
    "leaf_removed",
    "table_linked",
    "table_unlinked",
    "leaf_remade",
    "private_written",
    "lock_nested",
)
"""Announcements an oracle may have a handler for, beside the kinds of events."""
