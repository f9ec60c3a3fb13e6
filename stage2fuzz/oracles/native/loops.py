"""Loops of the oracles' Python in C, and how values are unpacked."""

import ast
from collections.abc import Callable
from types import FunctionType

from stage2fuzz.oracles.native.comparisons import Comparisons
from stage2fuzz.oracles.native.program import (
    member,
)
from stage2fuzz.oracles.native.scope import Value
from stage2fuzz.oracles.native.types import (
    EMPTY,
    EVENT_FIELDS,
    INT,
    Type,
    merge,
)


class Loops(Comparisons):
    """What goes through lists, dictionaries and ranges; generators are lists here."""

    def _listcomp(self, node: ast.ListComp, wanted: Type | None) -> Value:
        return self._comprehension(node, wanted)

    def _generatorexp(self, node: ast.GeneratorExp, wanted: Type | None) -> Value:
        return self._comprehension(node, wanted)

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp, wanted: Type | None) -> Value:
        inner = self.program.bare(wanted) if wanted else None
        of = inner[1] if inner and inner[0] == "list" else None
        held: list[Type] = []
        name = self.fresh()

        def step() -> str:
            part = self.value(node.elt, of)
            held.append(of or part[1])
            code = self.convert(part, of, node) if of else part[0]
            return f"list_append({name}, {code});"

        loop = self.each(node, step)
        return f"({{ word {name} = list_new(); {loop} {name}; }})", ("list", held[0])

    def each(self, node: ast.ListComp | ast.GeneratorExp, step: Callable[[], str]) -> str:
        """A loop over what a comprehension goes through; its variables are its own."""
        if len(node.generators) != 1:
            raise self.fail(node)
        part, before = node.generators[0], dict(self.locals)
        names = [e.id for e in ast.walk(part.target) if isinstance(e, ast.Name)]
        for name in names:
            self.locals.pop(name, None)
        element = self.element(part.iter)

        def body(code: str) -> str:
            assigned = self.assign(part.target, code, element)
            declared = "".join(f"word v_{name} = 0; " for name in names)
            used = "".join(f"(void)v_{name}; " for name in names)
            test = " && ".join(self.truth(each) for each in part.ifs)
            inner = f"if ({test}) {{ {step()} }}" if test else step()
            return f"{declared}{assigned} {used}{inner}"

        try:
            return self.loop(part.iter, body)
        finally:
            self.locals.clear()
            self.locals.update(before)

    def element(self, node: ast.expr) -> Type:
        """The type of what a loop over ``node`` gives."""
        if isinstance(node, ast.Call):
            found = self._element_of_call(node)
            if found is not None:
                return found
        if isinstance(node, (ast.GeneratorExp, ast.ListComp)):
            return tuple(self.value(node)[1][1])
        if isinstance(node, ast.Tuple) and not any(isinstance(e, ast.Starred) for e in node.elts):
            return merge([self.value(each)[1] for each in node.elts], self.program.names)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            return self.element(node.value)
        of = self.program.bare(self.value(node)[1])
        if of[0] in ("list", "dict"):
            return tuple(of[1])
        if of == EMPTY:
            return INT
        if of[0] == "object" and isinstance(member(of[1], "__iter__"), FunctionType):
            result = self.program.function(member(of[1], "__iter__"), of[1]).result
            return tuple(result[1])
        raise self.fail(node, f"a loop over {of}")

    def _element_of_call(self, node: ast.Call) -> Type | None:
        called = node.func
        if isinstance(called, ast.Name) and called.id not in self.locals:
            if called.id == "range":
                return INT
            if called.id == "enumerate":
                return "tuple", (INT, self.element(node.args[0]))
            if called.id in ("list", "tuple", "reversed") and len(node.args) == 1:
                return self.element(node.args[0])
        if isinstance(called, ast.Attribute) and called.attr in ("items", "values", "keys"):
            of = self.program.bare(self.value(called.value)[1])
            if of[0] == "dict":
                pair: Type = ("tuple", (of[1], of[2]))
                found: Type = {"items": pair, "values": of[2], "keys": of[1]}[called.attr]
                return found
        return None

    def loop(self, node: ast.expr, body: Callable[[str], str]) -> str:
        """A loop of C over ``node``; ``body`` is told how to read the element."""
        if isinstance(node, ast.Call):
            found = self._loop_of_call(node, body)
            if found is not None:
                return found
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            found = self._loop_of_slice(node, node.slice, body)
            if found is not None:
                return found
        at, name = self.fresh(), self.fresh()
        if isinstance(node, ast.Tuple) and not any(isinstance(e, ast.Starred) for e in node.elts):
            code, of = self._list(node, None)
        else:
            code, of = self.value(node)
        of = self.program.bare(of)
        start = f"{{ word {name} = {code};"
        if of[0] == "object":
            function = self.program.function(member(of[1], "__iter__"), of[1])
            start, of = f"{{ word {name} = {function.name}({code});", function.result
        if of[0] == "dict":
            return f"{start} {self._over_dict(name, body, 'key')} }}"
        each = body(f"LIST({name})->at[{at}]")
        return f"{start} for (word {at} = 0; {at} < LIST({name})->n; {at}++) {{ {each} }} }}"

    def _over_dict(self, name: str, body: Callable[[str], str], what: str) -> str:
        at = self.fresh()
        entry = f"DICT({name})->entry[{at}]"
        element = f"(word)&{entry}" if what == "items" else f"{entry}.{what}"
        inner = f"if (!{entry}.live) continue; {body(element)}"
        return f"for (word {at} = 0; {at} < DICT({name})->n; {at}++) {{ {inner} }}"

    def _loop_of_slice(
        self, node: ast.Subscript, cut: ast.Slice, body: Callable[[str], str]
    ) -> str | None:
        code, of = self.value(node.value)
        if self.program.bare(of)[0] != "list":
            return None
        at, name, end = self.fresh(), self.fresh(), self.fresh()
        each = body(f"LIST({name})->at[{at}]")
        if cut.step is not None:
            if ast.unparse(cut.step) != "-1" or cut.lower is None or cut.upper is not None:
                raise self.fail(node)
            first = f"list_place({name}, {self.word(cut.lower, INT)})"
            down = f"for (word {at} = {first}; {at} >= 0; {at}--)"
            return f"{{ word {name} = {code}; {down} {{ {each} }} }}"
        low = self.word(cut.lower, INT) if cut.lower else "0"
        high = self.word(cut.upper, INT) if cut.upper else "INT64_MAX"
        length = f"LIST({name})->n"
        start, stop = self.fresh(), self.fresh()
        return (
            f"{{ word {name} = {code}, {start} = {low}, {stop} = {high}; "
            f"word {end} = {stop} < 0 ? {stop} + {length} : smaller({stop}, {length}); "
            f"for (word {at} = {start} < 0 ? larger(0, {start} + {length}) : {start}; "
            f"{at} < {end}; {at}++) {{ {each} }} }}"
        )

    def _loop_of_call(self, node: ast.Call, body: Callable[[str], str]) -> str | None:
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr in ("items", "values", "keys"):
            code, of = self.value(called.value)
            if self.program.bare(of)[0] == "dict":
                name = self.fresh()
                what = {"items": "items", "values": "value", "keys": "key"}[called.attr]
                return f"{{ word {name} = {code}; {self._over_dict(name, body, what)} }}"
        if not isinstance(called, ast.Name) or called.id in self.locals:
            return None
        if called.id == "range":
            return self._range(node, body)
        if called.id == "enumerate":
            count = self.fresh()
            first = self.word(node.args[1], INT) if len(node.args) > 1 else "0"

            def pair(code: str) -> str:
                return body(self.tuple_of([f"{count}++", code]))

            return f"{{ word {count} = {first}; {self.loop(node.args[0], pair)} }}"
        if called.id == "reversed":
            at, name = self.fresh(), self.fresh()
            code, _of = self.value(node.args[0])
            each = body(f"LIST({name})->at[{at}]")
            down = f"for (word {at} = LIST({name})->n - 1; {at} >= 0; {at}--)"
            return f"{{ word {name} = {code}; {down} {{ {each} }} }}"
        return None

    def _range(self, node: ast.Call, body: Callable[[str], str]) -> str:
        codes = [self.word(each, INT) for each in node.args]
        low, high = (codes[0], codes[1]) if len(codes) > 1 else ("0", codes[0])
        step = ast.unparse(node.args[2]) if len(codes) > 2 else "1"
        if step not in ("1", "-1"):
            raise self.fail(node)
        at, end = self.fresh(), self.fresh()
        sign, move = ("<", "++") if step == "1" else (">", "--")
        return (
            f"{{ word {end} = {high}; for (word {at} = {low}; {at} {sign} {end}; {at}{move}) "
            f"{{ {body(at)} }} }}"
        )

    def assign(self, target: ast.expr, code: str, of: Type) -> str:
        """Statements that store a value of a type."""
        if isinstance(target, ast.Name):
            self.bind(target.id, of)
            return f"v_{target.id} = {self.convert((code, of), self.locals[target.id], target)};"
        if isinstance(target, ast.Attribute):
            place, wanted = self._attribute(target, None)
            return f"{place} = {self.convert((code, of), wanted, target)};"
        if isinstance(target, ast.Subscript):
            return self._assign_subscript(target, code, of)
        if isinstance(target, ast.Tuple):
            name, of = self.fresh(), self.program.bare(of)
            steps = [f"word {name} = {code};"]
            for i, each in enumerate(target.elts):
                part, held = self._part(name, of, i, target)
                steps.append(self.assign(each, part, held))
            return f"{{ {' '.join(steps)} }}"
        raise self.fail(target)

    def _part(self, name: str, of: Type, i: int, node: ast.AST) -> Value:
        """One element of what is unpacked."""
        if of[0] == "tuple":
            return f"TUPLE({name})[{i}]", of[1][i]
        if of[0] == "event":
            return f"EVENT({name})->{EVENT_FIELDS[i]}", INT
        if of[0] == "list":
            return f"list_get({name}, {i})", of[1]
        raise self.fail(node, f"to unpack {of}")

    def _assign_subscript(self, target: ast.Subscript, code: str, of: Type) -> str:
        place, held = self.value(target.value)
        held = self.program.bare(held)
        if held[0] == "dict":
            key = self.word(target.slice, held[1])
            return f"dict_set({place}, {key}, {self.convert((code, of), held[2], target)});"
        if held[0] == "list":
            at = self.word(target.slice, INT)
            return f"list_set({place}, {at}, {self.convert((code, of), held[1], target)});"
        raise self.fail(target)
