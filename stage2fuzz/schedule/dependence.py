"""Dependence: which two steps of different threads may not be swapped without being noticed.

Everything that reduces or weighs interleavings rests on this relation. It must never call two
steps independent that an engine or an oracle can tell apart, so it is generous: a TLBI or barrier
depends on every access whatever its address, and a step not known yet depends on everything.
"""

from typing import Final

from stage2fuzz import events
from stage2fuzz.schedule.base import View

Step = tuple[int, int]
"""(event kind, location), as in ``View.pending``."""

UNKNOWN: Final[Step] = (0, 0)
ENDED: Final[Step] = (events.THREAD_END, 0)

_READS: Final = (events.LOAD, events.WALK)
_WRITES: Final = (events.STORE, events.CAS_FAIL, events.DRAIN, events.HARDWARE_AF)
_PAGES: Final = (
    events.ALLOC,
    events.ZERO,
    events.FREE,
    events.FREE_DEFERRED,
    events.GET,
    events.PUT,
)
_LOCKS: Final = (events.LOCK, events.UNLOCK)
_BARRIERS: Final = (events.TLBI, events.DSB, events.CONTEXT)
_GUEST: Final = (events.HIT, events.ACCESS, events.FAULT)
_HOST_READS: Final = (events.SEQ_READ, events.RETRY, events.UNPIN)
_HOST: Final = (
    events.SLOT,
    events.BACKING,
    events.INVALIDATE_BEGIN,
    events.INVALIDATE_END,
    events.PIN,
    events.PFN_DIRTY,
    events.MARK_DIRTY,
    events.CLEAR_DIRTY,
    events.REPORT,
)

_READ, _WRITE, _PAGE, _LOCK, _BARRIER, _ACCESS, _HOST_READ, _HOST_WRITE, _TOPUP = (
    1 << i for i in range(9)
)
_CLASS: Final = {
    kind: bit
    for bit, kinds in (
        (_READ, _READS),
        (_WRITE, _WRITES),
        (_PAGE, _PAGES),
        (_LOCK, _LOCKS),
        (_BARRIER, _BARRIERS),
        (_ACCESS, _GUEST),
        (_HOST_READ, _HOST_READS),
        (_HOST_WRITE, _HOST),
        (_TOPUP, (events.TOPUP,)),
    )
    for kind in kinds
}
_MEMORY: Final = _READ | _WRITE | _PAGE

#: Pairs of classes that depend on one another wherever they act.
_ANYWHERE: Final = frozenset(
    a | b
    for a, b in (
        (_BARRIER, _BARRIER),
        (_BARRIER, _READ),
        (_BARRIER, _WRITE),
        (_BARRIER, _ACCESS),
        (_HOST_WRITE, _HOST_WRITE),
        (_HOST_WRITE, _HOST_READ),
        (_TOPUP, _TOPUP),
    )
)


def dependent(first: Step, second: Step) -> bool:
    """Whether the order of two steps of different threads may matter."""
    a, b = _CLASS.get(first[0], 0), _CLASS.get(second[0], 0)
    if not a or not b:
        return ENDED not in (first, second)
    if (a | b) in _ANYWHERE:
        return True
    if a & _MEMORY and b & _MEMORY:
        if (a | b) & _PAGE:
            return first[1] & ~0xFFF == second[1] & ~0xFFF
        return first[1] == second[1] and bool((a | b) & _WRITE)
    return bool(a & b & _LOCK) and first[1] == second[1]


def races(first: Step, second: Step) -> bool:
    """Whether two known steps touch the same thing, at least one of them changing it."""
    return first[0] != 0 and second[0] != 0 and dependent(first, second)


def shared_location(step: Step) -> int:
    """The location a step contends for, -1 for steps without one (barriers, unknown steps)."""
    group = _CLASS.get(step[0], 0)
    if group & (_READ | _WRITE):
        return step[1]
    return -2 - step[1] if group & _LOCK else -1


def changes(step: Step) -> bool:
    """Whether a step with a shared location changes what is there; a lock always changes hands."""
    return bool(_CLASS.get(step[0], 0) & (_WRITE | _LOCK))


def blocked(view: View, thread: int) -> bool:
    """Whether a thread is not enabled now but has not ended either."""
    return thread not in view.enabled and view.pending[thread] != ENDED
