"""Types of what the oracles compute, read off the annotations that mypy --strict demands.

In C every value is one 64-bit word: an integer, or the address of something in the run's arena.
Types decide what is done with a word, never how it is laid out, so that a tuple which is longer
than it need be, or an object that may be absent, is no other value.
"""

import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import is_dataclass
from enum import IntEnum
from typing import Any, Final

Type = tuple[Any, ...]
"""Its name, then its parts: ``("dict", INT, ("list", INT))``."""

INT: Final[Type] = ("int",)
BOOL: Final[Type] = ("bool",)
TEXT: Final[Type] = ("text",)
"""A hash of a text: equal for equal ones that were made in the same way."""
NONE: Final[Type] = ("none",)
DIGEST: Final[Type] = ("digest",)
"""What is annotated ``Any``: a hash of the whole value, which is all that can be asked of it."""
EVENT: Final[Type] = ("event",)
FUNCTION: Final[Type] = ("function",)
EMPTY: Final[Type] = ("empty",)
"""An empty list or dictionary of which it is not known yet what it holds."""
WORDS: Final = ("int", "bool")
EVENT_FIELDS: Final = ("kind", "thread", "where", "old", "new_", "aux")
"""Of ``struct s2_event``, in the order of the tuple."""


class UnsupportedError(Exception):
    """Something is outside the subset of Python that can be translated."""


def optional(of: Type) -> Type:
    """``of``, or nothing."""
    return of if of[0] in ("optional", "none", "digest") else ("optional", of)


def bare(of: Type, names: dict[str, Any]) -> Type:
    """``of`` without the possibility that there is nothing; a name is looked up in ``names``."""
    while of[0] in ("optional", "named"):
        of = of[1] if of[0] == "optional" else read(names[of[1]], names)
    return of


def read(annotation: Any, names: dict[str, Any]) -> Type:
    """The type that an evaluated annotation says; forward references are looked up in ``names``."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        return _forward(annotation, names)
    plain = {int: INT, bool: BOOL, str: TEXT, None: NONE, type(None): NONE, Any: DIGEST}
    if annotation.__hash__ is not None and annotation in plain:
        return plain[annotation]
    return _generic(annotation, names)


def _generic(annotation: Any, names: dict[str, Any]) -> Type:
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        return _union(parts, names)
    if origin in (typing.Final, typing.ClassVar):
        return read(parts[0], names)
    if origin is tuple:
        return _tuple(parts, names)
    if origin in (list, set, frozenset, Iterator, Iterable, Sequence):
        return "list", read(parts[0], names)
    if origin is dict:
        return "dict", read(parts[0], names), read(parts[1], names)
    if origin is Callable:
        return FUNCTION
    if isinstance(annotation, type):
        return _class(annotation)
    raise UnsupportedError(f"the type {annotation}")


def _forward(text: str, names: dict[str, Any]) -> Type:
    """A name in quotes, with or without ``| None``; names of aliases stay names, for recursion."""
    name, _, rest = text.partition(" | ")
    if rest not in ("", "None") or name not in names:
        raise UnsupportedError(f"the type {text!r}")
    found = names[name]
    of: Type = _class(found) if isinstance(found, type) else ("named", name)
    return optional(of) if rest else of


def _union(parts: tuple[Any, ...], names: dict[str, Any]) -> Type:
    some = [each for each in parts if each is not type(None)]
    return optional(merge([read(each, names) for each in some], names))


def _tuple(parts: tuple[Any, ...], names: dict[str, Any]) -> Type:
    if len(parts) == 2 and parts[1] is Ellipsis:
        of = read(parts[0], names)
        return DIGEST if of == DIGEST else ("list", of)
    if parts == (int,) * 6:
        return EVENT
    return "tuple", tuple(read(each, names) for each in parts)


def _class(found: type) -> Type:
    if issubclass(found, IntEnum):
        return INT
    if is_dataclass(found) or found.__module__.startswith("stage2fuzz."):
        return "object", found
    raise UnsupportedError(f"the class {found.__name__}")


def merge(found: Iterable[Type], names: dict[str, Any]) -> Type:
    """One type for what may be any of ``found``: tuples have in common how they begin."""
    some = list(dict.fromkeys(found))
    sure = [each for each in some if each not in (NONE, EMPTY)]
    if not sure:
        return NONE if NONE in some else EMPTY
    absent = NONE in some or any(each[0] == "optional" for each in sure)
    plain = [bare(each, names) for each in sure]
    whole = plain[0]
    for each in plain[1:]:
        whole = _both(whole, each, names)
    return optional(whole) if absent else whole


def _both(one: Type, other: Type, names: dict[str, Any]) -> Type:
    if other in (one, EMPTY):
        return one
    if one == EMPTY:
        return other
    if one[0] in WORDS and other[0] in WORDS:
        return INT
    if one[0] == other[0] == "tuple":
        pairs = zip(one[1], other[1], strict=False)
        return "tuple", tuple(merge(pair, names) for pair in pairs)
    if one[0] == other[0] == "list":
        return "list", merge([one[1], other[1]], names)
    if one[0] == other[0] == "dict":
        return "dict", merge([one[1], other[1]], names), merge([one[2], other[2]], names)
    raise UnsupportedError(f"either {one} or {other}")
