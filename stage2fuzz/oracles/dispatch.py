"""Dispatch: from an event's or announcement's fields to the handlers, each with what it names.

One function for each kind is written out and compiled when a judge is made: it takes all fields and
calls the handlers one after another, ``first(index, thread); second(ipa)``. That costs no more than
a loop over handlers that all take everything, and fields that nobody names are not passed on.
"""

from collections.abc import Callable, Iterable
from typing import Any

from stage2fuzz.event_kind import UNUSED
from stage2fuzz.oracles.handlers import named_fields

Teller = Callable[..., None]
"""Takes all fields of a kind or announcement, in order."""


def teller(name: str, fields: tuple[str, ...], listeners: Iterable[object]) -> Teller | None:
    """One function that calls the handler ``name`` of each listener; None if there is none."""
    handlers = [
        (getattr(listener, name), named_fields(type(listener), name, fields))
        for listener in listeners
    ]
    if not handlers:
        return None
    if len(handlers) == 1 and handlers[0][1] == fields:
        only: Teller = handlers[0][0]
        return only
    parameters = [f"_{number}" if field == UNUSED else field for number, field in enumerate(fields)]
    lines = [
        f"def tell_{name}({', '.join(parameters)}):",
        *(f"    _handler{n}({', '.join(named)})" for n, (_, named) in enumerate(handlers)),
    ]
    space: dict[str, Any] = {f"_handler{n}": handler for n, (handler, _) in enumerate(handlers)}
    exec("\n".join(lines), space)
    made: Teller = space[f"tell_{name}"]
    return made


def silent(*_fields: object) -> None:
    """The teller of an announcement that nobody wants to hear."""
