"""Handlers: which methods of an oracle hear of what, and which fields each may name.

A handler is called after a kind of event (``free``, ``retry_check``), or after an *announcement*:
what the world says a visible write, a lock or a call's return means. It names the fields that it
uses, in any number, beside ``index`` (of the event in the run) and ``thread``; ``dispatch.py``
hands it those and no others. A method that hears of nothing, and a field that does not exist, are
refused when the class is defined: an oracle that nobody tells anything would be silent for ever.
"""

from types import FunctionType
from typing import Any, Final

from stage2fuzz.event_kind import UNUSED
from stage2fuzz.events import KINDS, RETURN
from stage2fuzz.oracles.facts import BackingFact, Call, Fault, SlotFact
from stage2fuzz.window import Entry

ALWAYS: Final = ("index", "thread")
"""What a handler may name whatever it hears of: the event's number and its thread."""
EVENTS: Final = {
    number: kind.name.replace("-", "_") for number, kind in KINDS.items() if number != RETURN
}
"""Kind -> the handler that hears of it; a call's return is announced, with the call it ends."""
LEAF: Final = ("location", "old", "new", "level", "ipa", "slot", "backing", "fault", "call")
ANNOUNCEMENTS: Final = {
    # A valid entry was written over with another valid one; told before what it means.
    "replaced": ("location", "old", "new", "level", "ipa"),
    # A leaf stands where none was, or another one than before.
    "leaf_installed": LEAF,
    "leaf_changed": LEAF,
    # A leaf is no longer valid; what stands there now is a table or invalid.
    "leaf_removed": ("location", "old", "new", "level", "ipa", "fault", "call"),
    # The thread that broke a leaf made one of the same page there, in one call; "old" is the leaf
    # that was broken, by the event "broken_at".
    "leaf_remade": ("location", "old", "new", "level", "ipa", "fault", "call", "broken_at"),
    # An entry links a table now, or no longer; "below" are the valid entries that went with it.
    "table_linked": ("location", "old", "new", "level", "ipa"),
    "table_unlinked": ("location", "old", "level", "ipa", "below"),
    # An entry of a page was written that no visible entry links.
    "private_written": ("location", "old", "new", "fault", "call"),
    # A lock was taken while others were held.
    "lock_nested": ("lock", "held"),
    # A call ended; "call" is that call, if its start was seen.
    "returned": ("ipa", "size", "result", "code", "call"),
}
"""Announcement -> its fields beside ``index`` and ``thread``. "fault" and "call" are those in which
the write was stored, "slot" and "backing" those of the leaf."""
TYPES: Final[dict[str, Any]] = {
    "slot": SlotFact | None,
    "backing": BackingFact | None,
    "fault": Fault | None,
    "call": Call | None,
    "below": list[Entry],
    "held": tuple[int, ...],
}
"""Fields of announcements that are no integers; those of events all are."""
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    name: (*ALWAYS, *KINDS[number].fields) for number, name in EVENTS.items()
} | {name: (*ALWAYS, *fields) for name, fields in ANNOUNCEMENTS.items()}
"""Handler -> all fields that it may name, in the order in which they are told."""


def named_fields(owner: type, name: str, fields: tuple[str, ...]) -> tuple[str, ...]:
    """The fields that the handler ``name`` of ``owner`` asks for, in its own order.

    Raises TypeError where it names one that is not of ``fields``, or gives it another type.
    """
    code = getattr(owner, name).__code__
    if code.co_kwonlyargcount or code.co_flags & (0x04 | 0x08):
        raise TypeError(f"{owner.__name__}.{name}: a handler takes named fields only")
    named: tuple[str, ...] = code.co_varnames[1 : code.co_argcount]
    for field in named:
        if field == UNUSED or field not in fields:
            known = ", ".join(each for each in fields if each != UNUSED)
            raise TypeError(f"{owner.__name__}.{name}: no field {field!r}; there are {known}")
        wanted = TYPES.get(field, int) if name in ANNOUNCEMENTS else int
        if getattr(owner, name).__annotations__.get(field) != wanted:
            raise TypeError(f"{owner.__name__}.{name}: {field!r} is {wanted}")
    return named


def check_handlers(owner: type, api: frozenset[str]) -> None:
    """Refuse an oracle whose public methods are not all handlers or of the base's ``api``.

    Raises TypeError, which is a bug of the oracle's author, with what would be right.
    """
    for name, member in vars(owner).items():
        if name.startswith("_") or name in api or not callable(getattr(owner, name)):
            continue
        if not isinstance(member, FunctionType) or name not in FIELDS:
            raise TypeError(
                f"{owner.__name__}.{name} hears of nothing; a method of the oracle's own begins "
                f"with _, and handlers are {', '.join(sorted(FIELDS))}"
            )
        named_fields(owner, name, FIELDS[name])
