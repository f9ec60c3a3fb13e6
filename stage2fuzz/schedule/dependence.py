"""Dependence: which two steps of different threads may not be swapped without being noticed.

Everything that reduces or weighs interleavings rests on this relation. It must never call two
steps independent that an engine or an oracle can tell apart, so it is generous: a TLBI or barrier
depends on every access whatever its address, and a step not known yet depends on everything.
"""

from typing import Final

from stage2fuzz.arch import PAGE_SIZE
from stage2fuzz.event_kind import Dependence
from stage2fuzz.events import KINDS, THREAD_END
from stage2fuzz.schedule.base import View

PendingStep = tuple[int, int]
"""(event kind, location), as in ``View.pending``; kind 0 is a step not known yet."""

ENDED: Final[PendingStep] = (THREAD_END, 0)

_BIT: Final[dict[Dependence, int]] = {
    depends: 1 << number
    for number, depends in enumerate(
        each for each in Dependence if each is not Dependence.EVERYTHING
    )
}
_GROUP: Final = {
    kind.number: _BIT[kind.depends]
    for kind in KINDS.values()
    if kind.depends is not Dependence.EVERYTHING
}
"""Kind -> its bit; those that depend on everything have none, like steps not known yet."""
_WRITE: Final = _BIT[Dependence.WRITE]
_PAGE: Final = _BIT[Dependence.PAGE]
_LOCK: Final = _BIT[Dependence.LOCK]
_ENTRY: Final = _BIT[Dependence.READ] | _WRITE
_MEMORY: Final = _ENTRY | _PAGE
_ANYWHERE: Final = frozenset(
    _BIT[a] | _BIT[b]
    for a, b in (
        (Dependence.BARRIER, Dependence.BARRIER),
        (Dependence.BARRIER, Dependence.READ),
        (Dependence.BARRIER, Dependence.WRITE),
        (Dependence.BARRIER, Dependence.GUEST),
        (Dependence.HOST_WRITE, Dependence.HOST_WRITE),
        (Dependence.HOST_WRITE, Dependence.HOST_READ),
        (Dependence.TOPUP, Dependence.TOPUP),
    )
)
"""Pairs that depend on one another wherever they act."""


def dependent(first: PendingStep, second: PendingStep) -> bool:
    """Whether the order of two steps of different threads may matter."""
    a, b = _GROUP.get(first[0], 0), _GROUP.get(second[0], 0)
    if not a or not b:
        return ENDED not in (first, second)
    if (a | b) in _ANYWHERE:
        return True
    if a & _MEMORY and b & _MEMORY:
        if (a | b) & _PAGE:
            return first[1] & -PAGE_SIZE == second[1] & -PAGE_SIZE
        return first[1] == second[1] and bool((a | b) & _WRITE)
    return bool(a & b & _LOCK) and first[1] == second[1]


def races(first: PendingStep, second: PendingStep) -> bool:
    """Whether two known steps touch the same thing, at least one of them changing it."""
    return first[0] != 0 and second[0] != 0 and dependent(first, second)


def shared_location(step: PendingStep) -> int:
    """The location a step contends for, -1 for steps without one (barriers, unknown steps)."""
    group = _GROUP.get(step[0], 0)
    if group & _ENTRY:
        return step[1]
    return -2 - step[1] if group & _LOCK else -1


def changes(step: PendingStep) -> bool:
    """Whether a step with a shared location changes what is there; a lock always changes hands."""
    return bool(_GROUP.get(step[0], 0) & (_WRITE | _LOCK))


def blocked(view: View, thread: int) -> bool:
    """Whether a thread is not enabled now but has not ended either."""
    return thread not in view.enabled and view.pending[thread] != ENDED
