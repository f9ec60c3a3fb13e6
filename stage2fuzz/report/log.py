"""Events in full: records for programs, and a plain log that is stable enough to be expected.

Both say everything and interpret nothing. Fields that a kind never uses are left out.
"""

from collections.abc import Iterable, Sequence

from stage2fuzz.event_kind import UNUSED
from stage2fuzz.events import KINDS, SETUP, Event
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.source import Stack

_PLACES = ("where", "old", "new", "aux")


def event_record(event: Event, stack: Stack = ()) -> dict[str, object]:
    """One event for a program: ``event``, ``thread``, the payload that its kind uses, and where in
    the user's tree it was made (``source``, innermost first), where that is known."""
    name, used = _used(event)
    source = {"source": [each.to_record() for each in stack]} if stack else {}
    return {"event": name, "thread": event[1], **used, **source}


def run_record(
    events: Sequence[Event], violations: Sequence[Violation], stacks: Sequence[Stack] = ()
) -> dict[str, object]:
    """What a run showed, for a program: ``violations``, and each of its ``events``."""
    return {
        "violations": [
            {
                "oracle": violation.oracle,
                "rule": violation.rule,
                "category": str(violation.category),
                "verdict": violation.verdict,
                "signature": violation.signature,
                "events": list(violation.events),
                "source": [line.to_record() for line in violation.source],
            }
            for violation in violations
        ],
        "events": [
            event_record(event, stacks[number] if stacks else ())
            for number, event in enumerate(events)
        ],
    }


def event_log(events: Iterable[Event]) -> str:
    """A run's events, one a line: number, thread, kind, payload; counts in decimal."""
    lines = []
    for number, event in enumerate(events):
        name, used = _used(event)
        thread = "setup" if event[1] == SETUP else str(event[1])
        payload = " ".join(f"{place}={_value(value)}" for place, value in used.items())
        lines.append(f"{number:4} {thread:>5} {name} {payload}".rstrip() + "\n")
    return "".join(lines)


def _used(event: Event) -> tuple[str, dict[str, int]]:
    """The name of an event's kind and the payload fields that its kind uses."""
    kind = KINDS[event[0]]
    payload = zip(_PLACES, kind.fields, event[2:], strict=True)
    return kind.name, {place: value for place, field, value in payload if field != UNUSED}


def _value(value: int) -> str:
    return str(value) if -256 < value < 256 else f"{value:#x}"
