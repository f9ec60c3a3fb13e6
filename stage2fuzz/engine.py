"""Trace: what one run of any engine did; the only thing an engine hands back."""

from dataclasses import dataclass

from stage2fuzz.events import Event
from stage2fuzz.schedule.base import Schedule


@dataclass(frozen=True, slots=True)
class Trace:
    """Its events, the schedule that was really executed, how it ended."""

    events: list[Event]
    schedule: Schedule
    preemptions: int
    ended: str
    """``finished``, ``deadlock``, ``limit``, or ``crash`` of a kernel engine."""
