"""Comparisons of the oracles' Python in C."""

import ast
from typing import Final

from stage2fuzz.oracles.native.program import (
    is_number,
    number,
    width,
)
from stage2fuzz.oracles.native.scope import Scope, Value
from stage2fuzz.oracles.native.types import (
    BOOL,
    Type,
)

COMPARISONS: Final = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


class Comparisons(Scope):
    """What compares values: by type, as Python does."""

    def _compare(self, node: ast.Compare, _wanted: Type | None) -> Value:
        parts, left = [], node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            parts.append(self._comparison(op, left, right))
            left = right
        return f"(word)({' && '.join(parts)})", BOOL

    def _comparison(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> str:
        if isinstance(op, (ast.In, ast.NotIn)):
            inside = self._inside(left, right)
            return f"!{inside}" if isinstance(op, ast.NotIn) else inside
        if isinstance(op, (ast.Is, ast.IsNot)):
            sign = "==" if isinstance(op, ast.Is) else "!="
            return f"({self.value(left)[0]} {sign} {self.value(right)[0]})"
        sign = COMPARISONS[type(op)]
        if isinstance(left, ast.Tuple) and isinstance(right, ast.Tuple) and sign in ("==", "!="):
            pairs = zip(left.elts, right.elts, strict=True)
            same = " && ".join(self._comparison(ast.Eq(), a, b) for a, b in pairs)
            return f"{'!' if sign == '!=' else ''}({same})"
        one = self.value(left)
        other = self.value(right, self.program.bare(one[1]))
        kinds = {self.program.bare(one[1])[0], self.program.bare(other[1])[0]}
        if kinds <= {"int", "bool", "none"} or kinds in ({"text"}, {"digest"}):
            return f"({one[0]} {sign} {other[0]})"
        if sign not in ("==", "!="):
            raise self.fail(left, "to order other things than integers")
        of = self.program.bare(one[1])
        negated = "!" if sign == "!=" else ""
        if kinds == {"list"}:
            each = width(of[1], self.program.names)
            return f"{negated}list_equal({one[0]}, {other[0]}, {each})"
        if kinds == {"tuple"} and len(of[1]) == len(self.program.bare(other[1])[1]):
            return f"{negated}same_key({one[0]}, {other[0]}, {width(of, self.program.names)})"
        raise self.fail(left, f"to compare {one[1]} with {other[1]}")

    def _inside(self, left: ast.expr, right: ast.expr) -> str:
        """Whether ``left`` is one of ``right``."""
        each = self._numbers(right)
        if each is not None:
            name = self.fresh()
            same = " || ".join(f"{name} == {one}" for one in each) or "0"
            return f"({{ word {name} = {self.value(left)[0]}; {same}; }})"
        code, of = self.value(right)
        of = self.program.bare(of)
        if of[0] == "dict":
            return f"(dict_find({code}, {self.word(left, of[1])}) >= 0)"
        if of[0] == "list":
            key = self.word(left, of[1])
            return f"(list_find({code}, {key}, {width(of[1], self.program.names)}) >= 0)"
        raise self.fail(right)

    def _numbers(self, node: ast.expr) -> list[str] | None:
        """A few numbers that stand there, or in a constant; None where there are others."""
        if isinstance(node, ast.Tuple):
            values = [self.value(each) for each in node.elts if not isinstance(each, ast.Starred)]
            if len(values) == len(node.elts) and all(v[1][0] in ("int", "bool") for v in values):
                return [code for code, _ in values]
            return None
        if isinstance(node, ast.Name) and node.id not in self.locals:
            found = self.globals.get(node.id)
            if isinstance(found, (tuple, frozenset)) and all(map(is_number, found)):
                return [number(int(each)) for each in sorted(found)]
        return None
