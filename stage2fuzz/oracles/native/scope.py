"""Scope: the variables of a function, and what becomes of a value where it is used."""

import ast
from collections.abc import Callable
from types import FunctionType

from stage2fuzz.oracles.native.program import (
    Function,
    Program,
    member,
    number,
)
from stage2fuzz.oracles.native.types import (
    DIGEST,
    EVENT_FIELDS,
    NONE,
    TEXT,
    Type,
    UnsupportedError,
    merge,
)

Value = tuple[str, Type]
"""An expression of C, and its type."""


class Scope:
    """One function's variables; the classes made of this one have what it says."""

    def __init__(self, program: Program, function: Function) -> None:
        self.program = program
        self.function = function
        self.globals = function.python.__globals__
        self.locals: dict[str, Type] = {}
        self._fresh = 0

    def fresh(self) -> str:
        """A name that nobody else has."""
        self._fresh += 1
        return f"t{self._fresh}"

    def fail(self, node: ast.AST, why: str = "") -> UnsupportedError:
        """What is outside the subset, and where."""
        where = f"{self.function.python.__qualname__}:{getattr(node, 'lineno', '?')}"
        return UnsupportedError(f"{where}: {why or ast.unparse(node)}")

    def word(self, node: ast.expr, wanted: Type) -> str:
        """``node`` as a value of type ``wanted``."""
        return self.convert(self.value(node, wanted), wanted, node)

    def convert(self, value: Value, wanted: Type, node: ast.AST) -> str:
        """A value as one of another type: to a digest, the whole value is taken in."""
        code, of = value
        if wanted == DIGEST and of != DIGEST:
            return self.digest(code, of, node)
        if wanted[0] == "list" and wanted[1] == DIGEST and of[0] == "list" and of[1] != DIGEST:
            raise self.fail(node, f"a list of {of[1]} as one of anything")
        return code

    def digest(self, code: str, of: Type, node: ast.AST) -> str:
        """A hash of a whole value: equal values of one shape have equal ones."""
        if of == NONE:
            return number(3)
        if of[0] == "optional":
            name = self.fresh()
            inner = self.digest(name, self.program.bare(of), node)
            return f"({{ word {name} = {code}; {name} == NONE ? 3 : {inner}; }})"
        of = self.program.bare(of)
        if of[0] in ("int", "bool", "text"):
            return f"blend(7, {code})"
        if of == DIGEST:
            return code
        name, sum_ = self.fresh(), self.fresh()
        start = f"({{ word {name} = {code}, {sum_} = 11"
        if of[0] == "tuple":
            parts = [self.digest(f"TUPLE({name})[{i}]", p, node) for i, p in enumerate(of[1])]
            steps = " ".join(f"{sum_} = blend({sum_}, {each});" for each in parts)
            return f"{start}; {steps} blend({sum_}, {len(parts)}); }})"
        if of[0] == "event":
            parts = [f"blend(7, EVENT({name})->{each})" for each in EVENT_FIELDS]
            steps = " ".join(f"{sum_} = blend({sum_}, {each});" for each in parts)
            return f"{start}; {steps} blend({sum_}, {len(parts)}); }})"
        if of[0] == "list":
            at = self.fresh()
            each = self.digest(f"LIST({name})->at[{at}]", of[1], node)
            loop = f"for (word {at} = 0; {at} < LIST({name})->n; {at}++)"
            end = f"blend({sum_}, LIST({name})->n); }})"
            return f"{start}; {loop} {sum_} = blend({sum_}, {each}); {end}"
        raise self.fail(node, f"a digest of {of}")

    def truth(self, node: ast.expr) -> str:
        """``node`` as a condition."""
        if isinstance(node, ast.BoolOp):
            sign = " && " if isinstance(node.op, ast.And) else " || "
            return f"({sign.join(self.truth(each) for each in node.values)})"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return f"!{self.truth(node.operand)}"
        return self.true(self.value(node), node)

    def true(self, value: Value, node: ast.AST) -> str:
        """Whether Python would take a value for true."""
        code, of = value
        if of == NONE:
            return "0"
        if of[0] == "optional":
            name = self.fresh()
            inner = self.true((name, self.program.bare(of)), node)
            return f"({{ word {name} = {code}; {name} != NONE && {inner}; }})"
        of = self.program.bare(of)
        if of[0] in ("int", "bool"):
            return f"({code} != 0)"
        if of[0] == "tuple":
            return "1" if of[1] else "0"
        if of[0] == "list":
            return f"(LIST({code})->n != 0)"
        if of[0] == "dict":
            return f"(DICT({code})->live != 0)"
        if of[0] == "object":
            python = member(of[1], "__bool__")
            if python is None and member(of[1], "__len__") is None:
                return "1"
            if isinstance(python, FunctionType):
                return f"({self.program.function(python, of[1]).name}({code}) != 0)"
        raise self.fail(node, f"the truth of {of}")

    def text(self, node: ast.expr) -> str:
        """A part of a text: what it would spell."""
        code, of = self.value(node)
        if of == TEXT:
            return code
        if self.program.bare(of)[0] not in ("int", "bool"):
            raise self.fail(node)
        return f"blend(5, {code})"

    def bind(self, name: str, of: Type) -> None:
        """Note that a variable holds values of a type, beside those that it is known to hold."""
        before = self.locals.get(name)
        found = [of] if before is None else [before, of]
        self.locals[name] = merge(found, self.program.names)

    def tuple_of(self, codes: list[str]) -> str:
        """A tuple in the arena."""
        name = self.fresh()
        fill = " ".join(f"{name}[{i}] = {code};" for i, code in enumerate(codes))
        return f"({{ word *{name} = take({8 * len(codes)}); {fill} (word){name}; }})"

    # What the classes made of this one answer

    def value(self, node: ast.expr, wanted: Type | None = None) -> Value:
        """``node`` in C, and its type; ``wanted`` says what a literal is to hold."""
        raise NotImplementedError

    def element(self, node: ast.expr) -> Type:
        """The type of what a loop over ``node`` gives."""
        raise NotImplementedError

    def loop(self, node: ast.expr, body: Callable[[str], str]) -> str:
        """A loop of C over ``node``; ``body`` is told how to read the element."""
        raise NotImplementedError

    def assign(self, target: ast.expr, code: str, of: Type) -> str:
        """Statements that store a value of a type."""
        raise NotImplementedError

    def each(self, node: ast.ListComp | ast.GeneratorExp, step: Callable[[], str]) -> str:
        """A loop over what a comprehension goes through; its variables are its own."""
        raise NotImplementedError

    def _list(self, node: ast.List | ast.Tuple, wanted: Type | None) -> Value:
        raise NotImplementedError

    def _attribute(self, node: ast.Attribute, _wanted: Type | None) -> Value:
        raise NotImplementedError
