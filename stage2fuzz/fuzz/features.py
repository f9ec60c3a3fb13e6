"""Interleaving features: what libFuzzer is shown instead of the engine's branches.

Branch coverage saturates in seconds and is blind to order. A feature here is an ordered pair of
dependent steps of two threads with nothing on the same location between them (alias pairs, Krace,
S&P 2020), each step labelled with its kind, the class of the value it saw or wrote, and what its
thread was doing; plus how often accesses faulted and how calls ended. Counts matter ("the
compare-exchange failed twice"), so counters are 8 bits and saturate. Labels hold no address, so a
feature means the same on every page and in every process.
"""

import re
from collections.abc import Sequence
from typing import Final

from stage2fuzz.arch import PTE_AF, PTE_READ, PTE_TABLE, PTE_TYPE, PTE_VALID, PTE_WRITE, PTE_XN
from stage2fuzz.event_kind import Label
from stage2fuzz.events import (
    CALL,
    CALL_CODE,
    CALL_PROT_SHIFT,
    DEADLOCK,
    FAULT,
    FEATURE_COUNTERS,
    KINDS,
    LIMIT,
    RESUME,
    RETURN,
    Event,
)

COUNTERS: Final = FEATURE_COUNTERS
"""Counters a run fills; libFuzzer scans them after each run, so there are not more."""
_MASK: Final = COUNTERS - 1
_ONE_FOR_ALL: Final = {Label.SEQUENCE: -1, Label.TLB: -2}
"""Locations that are no address."""
_LOCATED: Final = {
    kind.number: kind.feature.code
    for kind in KINDS.values()
    if kind.feature is not None and kind.feature.label not in _ONE_FOR_ALL
}
"""Kinds whose ``where`` is the location they touch, and their codes."""
_ENTRY_KINDS: Final = frozenset(
    kind.number
    for kind in KINDS.values()
    if kind.feature is not None and kind.feature.label is Label.ENTRY
)
_GLOBAL: Final = {
    kind.number: (_ONE_FOR_ALL[kind.feature.label], kind.feature.code)
    for kind in KINDS.values()
    if kind.feature is not None and kind.feature.label in _ONE_FOR_ALL
}


def value_class(pte: int) -> int:
    """What kind of entry a value is, without its address: 0 to 19."""
    if not pte & PTE_VALID:
        return 0 if not pte else 1
    if pte & PTE_TYPE == PTE_TYPE and not pte & PTE_AF and not pte & PTE_READ:
        return 2
    return 4 + (
        (1 if pte & PTE_WRITE else 0)
        | (2 if pte & PTE_XN else 0)
        | (4 if pte & PTE_AF else 0)
        | (8 if pte & PTE_TABLE else 0)
    )


def count_features(events: Sequence[Event], counters: bytearray) -> None:
    """Add one run's features to ``counters`` (``COUNTERS`` bytes, saturating)."""
    last: dict[int, tuple[int, int]] = {}
    doing: dict[int, int] = {}
    faults: dict[int, int] = {}
    classes: dict[int, int] = {}
    located, entry_kinds = _LOCATED, _ENTRY_KINDS
    for kind, thread, where, old, new, aux in events:
        code = located.get(kind)
        if code is not None:
            if kind in entry_kinds:
                class_bits = classes.get(new)
                if class_bits is None:
                    class_bits = classes[new] = value_class(new) << 5
                code |= class_bits
        elif kind in _GLOBAL:
            where, code = _GLOBAL[kind]
        else:
            if kind == FAULT:
                faults[thread] = seen = faults.get(thread, 0) + 1
                doing[thread] = context = old | new << 3 | aux << 5
                _bump(counters, 0x3A7 + context * 0x61 + min(seen, 8) * 0x1F3)
            elif kind == CALL:
                doing[thread] = 0x80 + (aux & CALL_CODE) + (aux >> CALL_PROT_SHIFT << 6)
            elif kind in (RETURN, RESUME):
                _bump(counters, 0x5D1 + (new & 0x7F) * 0x95 + doing.get(thread, 0) * 0x2B)
            elif kind in (DEADLOCK, LIMIT):
                _bump(counters, 0x7F1 + kind * 0x107 + aux)
            continue
        label = code | doing.get(thread, 0) << 10
        before = last.get(where)
        last[where] = thread, label
        if before is not None and before[0] != thread:
            _bump(counters, before[1] * 0x9E3B + label * 0x85EB)


def _bump(counters: bytearray, number: int) -> None:
    index = (number ^ number >> 15) & _MASK
    if counters[index] < 255:
        counters[index] += 1


def feature_set(counters: bytes | bytearray) -> frozenset[int]:
    """The features of filled counters: (counter, bucket of its count) as one number each.

    Buckets are libFuzzer's: 1, 2, 3, 4-7, 8-15, 16-31, 32-127, 128 and more.
    """
    places = [filled.start() for filled in _FILLED(counters)]
    return frozenset([index * 8 + _BUCKETS[counters[index]] for index in places])


_FILLED: Final = re.compile(rb"[^\0]").finditer
"""Finds the few counters that are not zero without a step of Python for each of the others."""
_BUCKETS: Final = bytes(
    sum(count >= edge for edge in (2, 3, 4, 8, 16, 32, 128)) for count in range(256)
)
