"""Story: the steps of a run that are worth a line, each with its thread and its marks.

A run has a hundred events, a reader patience for twenty. What the walker reads, reference counts
and other bookkeeping are left out unless they prove a verdict; barriers are kept where a verdict
is about the architecture's rules. ``full`` keeps every step.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stage2fuzz import events as ev
from stage2fuzz.case.case import Case
from stage2fuzz.events import SETUP, Event
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.report.words import Words
from stage2fuzz.source import Stack, spot

_ALWAYS: Final = {
    ev.HIT,
    ev.ACCESS,
    ev.FAULT,
    ev.STORE,
    ev.CAS_FAIL,
    ev.DRAIN,
    ev.HARDWARE_AF,
    ev.FREE,
    ev.FREE_DEFERRED,
    ev.INVALIDATE_BEGIN,
    ev.INVALIDATE_END,
    ev.BACKING,
    ev.SLOT,
    ev.MARK_DIRTY,
    ev.REPORT,
    ev.CALL,
    ev.WARN,
    ev.DEADLOCK,
    ev.LIMIT,
    ev.CRASH,
    ev.HYPERCALL,
    ev.PAGE_STATE,
    ev.MAPPING,
    ev.TLB_KEPT,
    ev.HYP_ACCESS,
}
_NOTIFIER: Final = {ev.SEQ_READ, ev.RETRY, ev.PIN}
_ORDERING: Final = {ev.DSB, ev.ALLOC, ev.ZERO}
_CONTEXT: Final = {ev.ISB, ev.CONTEXT}
_LEAST_FOLD: Final = 12
_ARCHITECTURE: Final = ("A", "B")
"""Groups of the oracle catalogue that are about tables, barriers and reuse."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a story."""

    index: int
    """Place in the run's event list."""
    thread: int
    text: str
    marks: tuple[int, ...]
    """The violations that this step helps to prove, by their place in the list."""
    source: str = ""
    """Where in the user's tree the step was made; empty where that is not known."""


def label(case: Case, thread: int) -> str:
    """The heading of a thread: ``vCPU 0``, ``host 0``."""
    vcpus = len(case.scenario.vcpus)
    if case.scenario.cpus:
        return f"CPU {thread}"
    return f"vCPU {thread}" if thread < vcpus else f"host {thread - vcpus}"


def story(
    events: list[Event],
    violations: Sequence[Violation],
    full: bool = False,
    stacks: Sequence[Stack] = (),
) -> list[Step]:
    """The steps of a run to show, in order."""
    words = Words(events)
    marks: dict[int, list[int]] = {}
    for number, violation in enumerate(violations):
        for index in violation.events:
            marks.setdefault(index, []).append(number)
    extra: set[int] = set()
    if any(event[0] == ev.INVALIDATE_BEGIN for event in events):
        extra |= _NOTIFIER
    if any(violation.oracle.startswith(_ARCHITECTURE) for violation in violations):
        extra |= _ORDERING
    if any(violation.oracle == "A6" for violation in violations):
        extra |= _CONTEXT
    steps = []
    for index, event in enumerate(events):
        text = words.say(event)
        marked = tuple(marks.get(index, ()))
        if event[1] == SETUP and not marked and not full:
            continue
        if full or marked or event[0] in extra or _worth_a_line(event, bool(extra & _ORDERING)):
            source = spot(stacks[index]) if stacks else ""
            steps.append(Step(index, event[1], text, marked, source))
    return steps


def fold(text: str, width: int) -> list[str]:
    """A step's text in lines of ``width``, broken at spaces, later ones set in.

    The name of a call is parted from what it is given; ``(`` after a space stays with its word.
    """
    width = max(width, _LEAST_FOLD)
    lines = [""]
    for piece in re.split(r"(?<= )|(?<=\w\()", text):
        if len(lines[-1]) + len(piece.rstrip()) > width and lines[-1].strip():
            lines.append("  ")
        lines[-1] += piece
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], "  " + lines[-1][width:]]
    return [line.rstrip() for line in lines]


def _worth_a_line(event: Event, ordering: bool) -> bool:
    """Whether a step is shown even where it proves nothing."""
    kind, _, where, _, new, aux = event
    if kind in (ev.LOCK, ev.UNLOCK):
        return where == ev.LOCK_MMU
    if kind in (ev.PAGE_STATE, ev.MAPPING):
        return where >= 0  # EL2's own pages have numbers below
    if kind == ev.TLBI:
        return ordering or aux & ev.TLBI_OPERATION != ev.TLBI_VMALLE1
    if kind in (ev.RETURN, ev.TOPUP, ev.RETRY, ev.HYPERCALL_RETURN):
        return new != 0
    if kind == ev.RESUME:
        return new != 1
    return kind in _ALWAYS
