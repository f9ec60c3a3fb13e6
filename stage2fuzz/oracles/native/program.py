"""The program that grows while oracles are translated: which functions and constants it needs.

A function is translated when something calls it, so that what only words a verdict, or serves
others than the oracles, is left out.
"""

import ast
import hashlib
import inspect
import sys
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from types import FunctionType
from typing import Any, Final

from stage2fuzz.oracles.native.types import (
    DIGEST,
    INT,
    NONE,
    TEXT,
    Type,
    UnsupportedError,
    bare,
    merge,
    read,
)

C_WORDS: Final = frozenset({"register", "default", "struct", "new", "free", "index", "signal"})


@dataclass(frozen=True, slots=True)
class Function:
    """A function of Python that has one in C."""

    name: str
    """In C."""
    python: FunctionType
    owner: type | None
    parameters: dict[str, Type]
    """Without ``self``."""
    result: Type


@dataclass(slots=True)
class Program:
    """What was asked for so far."""

    names: dict[str, Any]
    """The aliases of types, for forward references."""
    functions: dict[FunctionType, Function] = field(default_factory=dict)
    waiting: list[Function] = field(default_factory=list)
    objects: dict[type, dict[str, Type]] = field(default_factory=dict)
    """Class -> its attributes."""
    constants: list[str] = field(default_factory=list)
    known: dict[int, tuple[Any, str, Type]] = field(default_factory=dict)
    """By identity: constants that have a name in C."""

    def function(self, python: FunctionType, owner: type | None) -> Function:
        """The function of C for ``python``, translated now or later."""
        known = self.functions.get(python)
        if known is None:
            hints = hints_of(python)
            result = read(hints.pop("return", None), self.names)
            arguments = python.__code__.co_varnames[: python.__code__.co_argcount]
            for name in arguments[owner is not None :]:
                if name not in hints:
                    raise UnsupportedError(f"{python.__qualname__}: {name} has no type")
            parameters = {
                name: read(hints[name], self.names) for name in arguments[owner is not None :]
            }
            name = f"{python.__module__.rpartition('.')[2]}_{python.__qualname__}"
            known = Function(name.replace(".", "_"), python, owner, parameters, result)
            self.functions[python] = known
            self.waiting.append(known)
        return known

    def constant(self, value: Any, of: Type | None = None) -> tuple[str, Type]:
        """``value`` as C has it, and its type: one that a module holds, or a default."""
        if value is None:
            return "NONE", NONE
        if isinstance(value, (bool, int)):
            return number(int(value)), ("bool",) if isinstance(value, bool) else INT
        if isinstance(value, str):
            return text_hash(value), TEXT
        known = self.known.get(id(value))
        if known is not None:
            return known[1], known[2]
        if isinstance(value, (tuple, list, frozenset, set)):
            code, found = self._list(value)
        elif isinstance(value, dict):
            code, found = self._dict(value)
        else:
            raise UnsupportedError(f"a constant of {type(value).__name__}")
        self.known[id(value)] = (value, code, of or found)
        return code, of or found

    def _list(self, value: Any) -> tuple[str, Type]:
        parts = [self.constant(each) for each in value]
        of = merge([each for _, each in parts], self.names) if parts else ("empty",)
        at = self._array([code for code, _ in parts])
        self.constants.append(f"static struct list {at}_list = {{ {at}, {len(parts)}, 0 }};")
        return f"(word)&{at}_list", ("list", of)

    def _dict(self, value: dict[Any, Any]) -> tuple[str, Type]:
        keys = [self.constant(key) for key in value]
        values = [self.constant(each) for each in value.values()]
        if any(of[0] not in ("int", "bool") for _, of in keys):
            raise UnsupportedError("a constant dictionary with keys that are no integers")
        name = f"constant_{len(self.constants)}"
        rows = ", ".join(
            f"{{ {key}, {each}, 1 }}" for (key, _), (each, _) in zip(keys, values, strict=True)
        )
        number_of = len(keys)
        self.constants.append(f"static struct entry {name}[] = {{ {rows or '{ 0, 0, 0 }'} }};")
        self.constants.append(
            f"static struct dict {name}_dict = {{ {name}, NULL, 0, {number_of}, {number_of}, "
            f"{number_of}, 0 }};"
        )
        held = merge([of for _, of in values], self.names)
        return f"(word)&{name}_dict", ("dict", INT, held)

    def _array(self, codes: list[str]) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(f"static word {name}[] = {{ {', '.join(codes) or '0'} }};")
        return name

    def attribute(self, owner: type, name: str) -> Type:
        """The type of an object's attribute, as its class annotates it."""
        attributes = self.objects.get(owner)
        if attributes is None or name not in attributes:
            raise UnsupportedError(f"{owner.__name__} has no attribute {name}")
        return attributes[name]

    def bare(self, of: Type) -> Type:
        """``of`` where there is something."""
        return bare(of, self.names)


def hints_of(python: FunctionType) -> dict[str, Any]:
    """A function's annotations; a class that its module defines later is found by then."""
    return {
        name: eval(hint, vars(sys.modules[python.__module__])) if type(hint) is str else hint
        for name, hint in python.__annotations__.items()
    }


@lru_cache(maxsize=256)
def _module(name: str) -> ast.Module:
    return ast.parse(inspect.getsource(sys.modules[name]))


def definition(python: FunctionType) -> ast.FunctionDef:
    """The text of a function, by its place in its module."""
    body: list[ast.stmt] = _module(python.__module__).body
    *outer, last = python.__qualname__.split(".")
    for name in outer:
        body = next(e.body for e in body if isinstance(e, ast.ClassDef) and e.name == name)
    return next(e for e in body if isinstance(e, ast.FunctionDef) and e.name == last)


def member(owner: type, name: str) -> Any:
    """A class's attribute as it was written there: a function, a property, a constant."""
    return inspect.getattr_static(owner, name, None)


def number(value: int) -> str:
    """An integer in C."""
    if not -(1 << 63) < value < 1 << 63:
        raise UnsupportedError(f"the number {value:#x}")
    return f"{value}LL"


def text_hash(text: str) -> str:
    """A text in C: 60 bits that are the same wherever it stands."""
    return number(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 4)


def width(of: Type, names: dict[str, Any]) -> int:
    """Words by which values of a type are compared: 0 for those that are words themselves."""
    of = bare(of, names)
    if of[0] in ("int", "bool", "text", "digest", "object", "event"):
        return 0
    if of[0] == "tuple" and all(bare(e, names)[0] in ("int", "bool", "text") for e in of[1]):
        return len(of[1])
    raise UnsupportedError(f"to compare values of {of}")


def is_number(value: Any) -> bool:
    """Whether a constant is a word that can be compared as it stands."""
    return isinstance(value, (bool, int, IntEnum))


__all__ = ["DIGEST", "Function", "Program", "definition", "hints_of", "member", "width"]
