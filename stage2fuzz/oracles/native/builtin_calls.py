"""Calls of Python's own functions in C: as far as the oracles use them."""

import ast
from collections.abc import Callable

from stage2fuzz.oracles.native.literals import Literals
from stage2fuzz.oracles.native.program import (
    width,
)
from stage2fuzz.oracles.native.scope import Value
from stage2fuzz.oracles.native.types import (
    BOOL,
    DIGEST,
    EMPTY,
    INT,
    TEXT,
    Type,
    merge,
)


class BuiltinCalls(Literals):
    """``len``, ``any``, ``sorted`` and their like."""

    def _builtin(self, name: str, node: ast.Call, wanted: Type | None) -> Value:
        translate: Callable[[ast.Call, Type | None], Value] | None
        translate = getattr(self, f"_call_{name}", None)
        if translate is None:
            raise self.fail(node)
        translated: Value = translate(node, wanted)
        return translated

    def _call_bool(self, node: ast.Call, _wanted: Type | None) -> Value:
        return f"(word){self.truth(node.args[0])}", BOOL

    def _call_int(self, node: ast.Call, _wanted: Type | None) -> Value:
        return self.word(node.args[0], INT), INT

    def _call_str(self, node: ast.Call, _wanted: Type | None) -> Value:
        return self.text(node.args[0]), TEXT

    def _call_len(self, node: ast.Call, _wanted: Type | None) -> Value:
        code, of = self.value(node.args[0])
        of = self.program.bare(of)
        if of[0] == "dict":
            return f"DICT({code})->live", INT
        if of[0] == "list":
            return f"LIST({code})->n", INT
        raise self.fail(node)

    def _call_max(self, node: ast.Call, _wanted: Type | None) -> Value:
        return self._extreme(node, "larger", "list_largest")

    def _call_min(self, node: ast.Call, _wanted: Type | None) -> Value:
        return self._extreme(node, "smaller", "list_smallest")

    def _extreme(self, node: ast.Call, of_two: str, of_list: str) -> Value:
        if len(node.args) > 1:
            code = self.word(node.args[0], INT)
            for each in node.args[1:]:
                code = f"{of_two}({code}, {self.word(each, INT)})"
            return code, INT
        code, of = self.value(node.args[0])
        if self.program.bare(of)[1] not in (INT, BOOL):
            raise self.fail(node)
        default = [word.value for word in node.keywords if word.arg == "default"]
        if not default:
            return f"{of_list}({code})", INT
        name = self.fresh()
        end = self.word(default[0], INT)
        return f"({{ word {name} = {code}; LIST({name})->n ? {of_list}({name}) : {end}; }})", INT

    def _call_sum(self, node: ast.Call, _wanted: Type | None) -> Value:
        return f"list_sum({self.value(node.args[0])[0]})", INT

    def _call_any(self, node: ast.Call, _wanted: Type | None) -> Value:
        return self._quantified(node, "", "0", "1")

    def _call_all(self, node: ast.Call, _wanted: Type | None) -> Value:
        return self._quantified(node, "!", "1", "0")

    def _quantified(self, node: ast.Call, sign: str, start: str, end: str) -> Value:
        name, (over,) = self.fresh(), node.args
        stop = f"{{ {name} = {end}; break; }}"
        if isinstance(over, ast.GeneratorExp):
            loop = self.each(over, lambda: f"if ({sign}{self.truth(over.elt)}) {stop}")
        else:
            of = self.element(over)
            loop = self.loop(over, lambda code: f"if ({sign}{self.true((code, of), over)}) {stop}")
        return f"({{ word {name} = {start}; {loop} {name}; }})", BOOL

    def _call_next(self, node: ast.Call, wanted: Type | None) -> Value:
        generator = node.args[0]
        if not isinstance(generator, ast.GeneratorExp) or len(node.args) != 2:
            raise self.fail(node)
        name = self.fresh()
        held: list[Type] = []

        def step() -> str:
            code, of = self.value(generator.elt, wanted)
            held.append(of)
            return f"{name} = {code}; break;"

        end = self.value(node.args[1])
        loop = self.each(generator, step)
        of = merge([held[0], end[1]], self.program.names)
        return f"({{ word {name} = {end[0]}; {loop} {name}; }})", of

    def _call_list(self, node: ast.Call, wanted: Type | None) -> Value:
        return self._copied(node, wanted)

    def _call_tuple(self, node: ast.Call, wanted: Type | None) -> Value:
        return self._copied(node, None if wanted == DIGEST else wanted)

    def _copied(self, node: ast.Call, wanted: Type | None) -> Value:
        if not node.args:
            return "list_new()", wanted or EMPTY
        over = node.args[0]
        if isinstance(over, (ast.GeneratorExp, ast.ListComp)):
            return self.value(over, wanted)
        if isinstance(over, ast.Call) and ast.unparse(over.func) == "map":
            return self._mapped(over)
        of = self.element(over)
        if isinstance(over, ast.Call) and isinstance(over.func, ast.Attribute):
            return self.value(over)
        name = self.fresh()
        loop = self.loop(over, lambda code: f"list_append({name}, {code});")
        return f"({{ word {name} = list_new(); {loop} {name}; }})", ("list", of)

    def _mapped(self, node: ast.Call) -> Value:
        """``map(max, one, other)``, of two lists of numbers."""
        if ast.unparse(node.args[0]) not in ("max", "min") or len(node.args) != 3:
            raise self.fail(node)
        chosen = {"max": "larger", "min": "smaller"}[ast.unparse(node.args[0])]
        one, other, name, at = self.fresh(), self.fresh(), self.fresh(), self.fresh()
        codes = [self.value(each)[0] for each in node.args[1:]]
        loop = f"for (word {at} = 0; {at} < smaller(LIST({one})->n, LIST({other})->n); {at}++)"
        each = f"{chosen}(LIST({one})->at[{at}], LIST({other})->at[{at}])"
        return (
            f"({{ word {one} = {codes[0]}, {other} = {codes[1]}, {name} = list_new(); "
            f"{loop} list_append({name}, {each}); {name}; }})",
            ("list", INT),
        )

    def _call_set(self, node: ast.Call, _wanted: Type | None) -> Value:
        of = self.element(node.args[0])
        width(of, self.program.names)
        return f"list_once_each({self._copied(node, None)[0]})", ("list", of)

    def _call_sorted(self, node: ast.Call, _wanted: Type | None) -> Value:
        """Numbers, and tuples that begin with one, as Python; others in an order of their own."""
        if node.keywords:
            raise self.fail(node)
        code, of = self._copied(node, None)
        element = self.program.bare(of[1])
        if element[0] in ("int", "text", "digest"):
            return f"list_sorted({code}, 0)", of
        if element[0] == "tuple" and all(e[0] in ("int", "bool") for e in element[1]):
            return f"list_sorted({code}, {len(element[1])})", of
        name, list_, at = self.fresh(), self.fresh(), self.fresh()
        each = self.digest(f"LIST({name})->at[{at}]", element, node)
        loop = f"for (word {at} = 0; {at} < LIST({name})->n; {at}++)"
        made = f"word {name} = {code}, {list_} = list_new(); {loop} list_append({list_}, {each});"
        return f"({{ {made} list_sorted({list_}, 0); }})", ("list", DIGEST)
