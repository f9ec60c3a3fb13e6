"""Expressions of the oracles' Python in C: each becomes one expression and a type."""

import ast
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from stage2fuzz.oracles.native.calls import Calls
from stage2fuzz.oracles.native.program import (
    member,
    number,
    text_hash,
)
from stage2fuzz.oracles.native.scope import Value
from stage2fuzz.oracles.native.types import (
    BOOL,
    DIGEST,
    EMPTY,
    EVENT_FIELDS,
    FUNCTION,
    INT,
    TEXT,
    Type,
    merge,
)

OPERATIONS: Final = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.FloorDiv: "divide",
    ast.Mod: "modulo",
    ast.LShift: "shift_left",
    ast.RShift: "shift_right",
}
BITWISE: Final = {ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^"}


class Expressions(Calls):
    """Every kind of expression, by the name of its node."""

    def value(self, node: ast.expr, wanted: Type | None = None) -> Value:
        """``node`` in C, and its type; ``wanted`` says what a literal is to hold."""
        if isinstance(node, ast.Constant):
            return self.program.constant(node.value)
        name = type(node).__name__.lower()
        translate: Callable[[Any, Type | None], Value] | None = getattr(self, f"_{name}", None)
        if translate is None:
            raise self.fail(node)
        return translate(node, wanted)

    def _name(self, node: ast.Name, _wanted: Type | None) -> Value:
        if node.id == "self":
            return "self", ("object", self.function.owner)
        if node.id in self.locals:
            return f"v_{node.id}", self.locals[node.id]
        if node.id in self.globals:
            return self.program.constant(self.globals[node.id])
        raise self.fail(node, f"what {node.id} is")

    def _attribute(self, node: ast.Attribute, _wanted: Type | None) -> Value:
        code, of = self.value(node.value)
        of = self.program.bare(of)
        if of[0] != "object":
            raise self.fail(node)
        owner = of[1]
        if node.attr.startswith("on_") and node.attr[3:] in self.program.names["told"]:
            return f"(word)tell_{node.attr[3:]}", FUNCTION
        found = member(owner, node.attr)
        if isinstance(found, property) and isinstance(found.fget, FunctionType):
            function = self.program.function(found.fget, owner)
            return f"{function.name}({code})", function.result
        if isinstance(found, (int, str, tuple, dict)):
            return self.program.constant(found)
        of = self.program.attribute(owner, node.attr)
        return f"((struct {owner.__name__} *){code})->{node.attr}_", of

    def _subscript(self, node: ast.Subscript, _wanted: Type | None) -> Value:
        code, of = self.value(node.value)
        of = self.program.bare(of)
        if isinstance(node.slice, ast.Slice):
            return self._slice(code, of, node.slice)
        if isinstance(node.value, ast.Tuple) and not isinstance(node.slice, ast.Constant):
            code, of = self._list(node.value, None)
        if of[0] in ("tuple", "event"):
            at = self._place(node.slice)
            if of[0] == "event":
                return f"EVENT({code})->{EVENT_FIELDS[at]}", INT
            return f"TUPLE({code})[{at}]", of[1][at]
        if of[0] == "list":
            return f"list_get({code}, {self.word(node.slice, INT)})", of[1]
        if of[0] == "dict":
            return f"dict_must({code}, {self.word(node.slice, of[1])})", of[2]
        raise self.fail(node)

    def _place(self, node: ast.expr) -> int:
        """Which part of a tuple is meant: it must be written there, since each has its type."""
        try:
            return int(ast.literal_eval(node))
        except (ValueError, TypeError):
            raise self.fail(node, "a part of a tuple that is not known before") from None

    def _slice(self, code: str, of: Type, cut: ast.Slice) -> Value:
        low = self.word(cut.lower, INT) if cut.lower else "0"
        high = self.word(cut.upper, INT) if cut.upper else "INT64_MAX"
        if of == TEXT:
            return f"blend({text_hash('slice')}, {code})", TEXT
        if of[0] == "event" and cut.lower is None and isinstance(cut.upper, ast.Constant):
            name, count = self.fresh(), int(str(cut.upper.value))
            fields = [f"EVENT({name})->{each}" for each in EVENT_FIELDS[:count]]
            made = self.tuple_of(fields)
            return f"({{ word {name} = {code}; {made}; }})", ("tuple", (INT,) * count)
        if of[0] == "tuple" and cut.lower is None and isinstance(cut.upper, ast.Constant):
            return code, ("tuple", of[1][: int(str(cut.upper.value))])
        if of[0] != "list" or cut.step is not None:
            raise self.fail(cut)
        return f"list_cut({code}, {low}, {high})", of

    def _binop(self, node: ast.BinOp, wanted: Type | None) -> Value:
        left, right = self.value(node.left, wanted), self.value(node.right, wanted)
        if left[1] == TEXT or right[1] == TEXT:
            return f"blend({left[0]}, {right[0]})", TEXT
        if isinstance(node.op, ast.Mult) and isinstance(node.left, ast.List):
            of = wanted[1] if wanted and wanted[0] == "list" else left[1][1]
            return f"list_times({self.word(node.left.elts[0], of)}, {right[0]})", ("list", of)
        kinds = {self.program.bare(of)[0] for _, of in (left, right)}
        if not kinds <= {"int", "bool"}:
            raise self.fail(node)
        for kind, sign in BITWISE.items():
            if isinstance(node.op, kind):
                both = left[1] == right[1] == BOOL
                return f"({left[0]} {sign} {right[0]})", BOOL if both else INT
        called = OPERATIONS.get(type(node.op))
        if called is None:
            raise self.fail(node)
        return f"{called}({left[0]}, {right[0]})", INT

    def _unaryop(self, node: ast.UnaryOp, _wanted: Type | None) -> Value:
        if isinstance(node.op, ast.Not):
            return f"(word)!{self.truth(node.operand)}", BOOL
        code = self.word(node.operand, INT)
        if isinstance(node.op, ast.USub):
            return f"subtract(0, {code})", INT
        if isinstance(node.op, ast.Invert):
            return f"(~{code})", INT
        raise self.fail(node)

    def _boolop(self, node: ast.BoolOp, wanted: Type | None) -> Value:
        values = [self.value(each, wanted) for each in node.values]
        if all(of == BOOL for _, of in values):
            return f"(word){self.truth(node)}", BOOL
        is_or = isinstance(node.op, ast.Or)
        code, of = values[-1]
        for each, before in zip(values[-2::-1], node.values[-2::-1], strict=True):
            name = self.fresh()
            true = self.true((name, each[1]), before)
            then = (name, code) if is_or else (code, name)
            code = f"({{ word {name} = {each[0]}; {true} ? {then[0]} : {then[1]}; }})"
            first = self.program.bare(each[1]) if is_or else each[1]
            if of == ("tuple", ()):
                of = EMPTY
            of = merge([first, of], self.program.names)
        return code, of

    def _ifexp(self, node: ast.IfExp, wanted: Type | None) -> Value:
        one, other = self.value(node.body, wanted), self.value(node.orelse, wanted)
        if wanted == DIGEST:
            one = self.convert(one, DIGEST, node), DIGEST
            other = self.convert(other, DIGEST, node), DIGEST
        of = merge([one[1], other[1]], self.program.names)
        return f"({self.truth(node.test)} ? {one[0]} : {other[0]})", of

    def _joinedstr(self, node: ast.JoinedStr, _wanted: Type | None) -> Value:
        code = number(1)
        for part in node.values:
            each = part.value if isinstance(part, ast.FormattedValue) else part
            code = f"blend({code}, {self.text(each)})"
        return code, TEXT

    def _namedexpr(self, node: ast.NamedExpr, wanted: Type | None) -> Value:
        code, of = self.value(node.value, wanted)
        self.bind(node.target.id, of)
        return f"(v_{node.target.id} = {code})", of
