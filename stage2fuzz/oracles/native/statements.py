"""Statements of the oracles' Python in C, and whole functions."""

import ast
from collections.abc import Callable
from typing import Any, Final

from stage2fuzz.oracles.native.expressions import Expressions
from stage2fuzz.oracles.native.program import Function, Program, definition, width
from stage2fuzz.oracles.native.types import EMPTY, INT, Type, UnsupportedError, merge, read

PASSES: Final = 4
"""Over a function, until the types of its variables are known."""
COMBINE: Final = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.BitOr: "|",
    ast.BitAnd: "&",
    ast.BitXor: "^",
}


class Statements(Expressions):
    """One function, from its text to its definition in C."""

    def __init__(self, program: Program, function: Function) -> None:
        super().__init__(program, function)
        self._node = definition(function.python)
        self._learning = True
        self._generates = any(
            isinstance(each, (ast.Yield, ast.YieldFrom)) for each in ast.walk(self._node)
        )

    def define(self) -> str:
        """The function in C; UnsupportedError where it is outside the subset."""
        for _ in range(PASSES):
            before = dict(self.locals)
            self.locals |= self.function.parameters
            self.block(self._node.body)
            if before == self.locals:
                break
        self._learning = False
        self._fresh = 0
        body = self.block(self._node.body)
        variables = [name for name in self.locals if name not in self.function.parameters]
        declared = "".join(f"\tword v_{name} = 0;\n" for name in variables)
        declared += "".join(f"\t(void)v_{name};\n" for name in self.locals)
        if self._generates:
            return self._whole(f"{declared}\tword yielded = list_new();\n{body}\treturn yielded;\n")
        return self._whole(f"{declared}{body}\treturn 0;\n")

    def _whole(self, body: str) -> str:
        """A function that calls itself is left to Python where it goes too deep."""
        name, head = self.function.name, signature(self.function)
        used = "\t(void)self;\n" if self.function.owner is not None else ""
        calls = {ast.unparse(e.func) for e in ast.walk(self._node) if isinstance(e, ast.Call)}
        own = self.function.python.__name__
        if own not in calls and f"self.{own}" not in calls:
            return f"{head}\n{{\n{used}{body}}}\n"
        inner = head.replace(f"{name}(", f"{name}_once(", 1)
        passed = ["self"] if self.function.owner is not None else []
        passed += [f"v_{each}" for each in self.function.parameters]
        return (
            f"{inner}\n{{\n{used}{body}}}\n\n{head}\n{{\n\tword result;\n\n"
            f"\tif (RARE(++depth > MOST_DEPTH))\n\t\tleave();\n"
            f"\tresult = {name}_once({', '.join(passed)});\n\tdepth--;\n\treturn result;\n}}\n"
        )

    def block(self, body: list[ast.stmt]) -> str:
        """Statements one after another; while types are learnt, each by itself."""
        lines = []
        for each in body:
            try:
                lines.append(self.statement(each))
            except UnsupportedError:
                if not self._learning:
                    raise
        return "".join(f"\t{line}\n" for line in lines if line)

    def statement(self, node: ast.stmt) -> str:
        """One statement in C."""
        name = f"_{type(node).__name__.lower()}_statement"
        translate: Callable[[Any], str] | None = getattr(self, name, None)
        if translate is None:
            raise self.fail(node)
        return translate(node)

    def _pass_statement(self, _node: ast.Pass) -> str:
        return ""

    def _break_statement(self, _node: ast.Break) -> str:
        return "break;"

    def _continue_statement(self, _node: ast.Continue) -> str:
        return "continue;"

    def _expr_statement(self, node: ast.Expr) -> str:
        value = node.value
        if isinstance(value, ast.Constant):
            return ""
        if isinstance(value, ast.Yield) and value.value is not None:
            return f"list_append(yielded, {self.word(value.value, self.function.result[1])});"
        if isinstance(value, ast.YieldFrom):
            return self.loop(value.value, lambda code: f"list_append(yielded, {code});")
        return f"(void){self.value(value)[0]};"

    def _return_statement(self, node: ast.Return) -> str:
        if self._generates:
            return "return yielded;"
        if node.value is None:
            return "return 0;"
        return f"return {self.word(node.value, self.function.result)};"

    def _if_statement(self, node: ast.If) -> str:
        text = f"if ({self._test(node.test)}) {{\n{self.block(node.body)}}}"
        if node.orelse:
            text += f" else {{\n{self.block(node.orelse)}}}"
        return text

    def _while_statement(self, node: ast.While) -> str:
        if node.orelse:
            raise self.fail(node)
        return f"while ({self._test(node.test)}) {{\n{self.block(node.body)}}}"

    def _test(self, node: ast.expr) -> str:
        """A condition; while types are learnt, one that can't be told yet hides nothing."""
        try:
            return self.truth(node)
        except UnsupportedError:
            if not self._learning:
                raise
            return "0"

    def _for_statement(self, node: ast.For) -> str:
        if node.orelse:
            raise self.fail(node)
        try:
            element = self.element(node.iter)
        except UnsupportedError:
            if not self._learning:
                raise
            self.block(node.body)
            return ""

        def body(code: str) -> str:
            return f"{self.assign(node.target, code, element)}\n{self.block(node.body)}"

        return self.loop(node.iter, body)

    def _delete_statement(self, node: ast.Delete) -> str:
        lines = []
        for target in node.targets:
            if not isinstance(target, ast.Subscript) or isinstance(target.slice, ast.Slice):
                raise self.fail(node)
            code, of = self.value(target.value)
            of = self.program.bare(of)
            taken = "dict_take" if of[0] == "dict" else "list_pop"
            key = self.word(target.slice, of[1] if of[0] == "dict" else INT)
            lines.append(f"{taken}({code}, {key});")
        return " ".join(lines)

    def _annassign_statement(self, node: ast.AnnAssign) -> str:
        found = eval(ast.unparse(node.annotation), self.globals)
        of = read(found, self.program.names)
        if isinstance(node.target, ast.Name):
            self.locals[node.target.id] = of
        if node.value is None:
            return ""
        return self.assign(node.target, self.word(node.value, of), of)

    def _assign_statement(self, node: ast.Assign) -> str:
        first = node.targets[0]
        together = isinstance(first, ast.Tuple) and isinstance(node.value, ast.Tuple)
        if len(node.targets) == 1 and together:
            assert isinstance(first, ast.Tuple)
            assert isinstance(node.value, ast.Tuple)
            return self._side_by_side(first, node.value)
        wanted = self._wanted(node.targets[-1])
        if wanted in (None, EMPTY) and isinstance(first, ast.Name) and _is_empty(node.value):
            wanted = self._appended(first.id)
        value = self.value(node.value, wanted)
        if len(node.targets) == 1:
            code = self.convert(value, wanted, node) if wanted else value[0]
            return self.assign(first, code, wanted if wanted and value[1] == EMPTY else value[1])
        name = self.fresh()
        lines = [self.assign(each, name, value[1]) for each in node.targets]
        return f"{{ word {name} = {value[0]}; {' '.join(lines)} }}"

    def _side_by_side(self, targets: ast.Tuple, values: ast.Tuple) -> str:
        """``a, b = c, d``: all is computed before anything is stored."""
        names, parts = [], []
        for target, each in zip(targets.elts, values.elts, strict=True):
            value = self.value(each, self._wanted(target))
            names.append((self.fresh(), value))
        parts += [f"word {name} = {value[0]};" for name, value in names]
        for target, (name, value) in zip(targets.elts, names, strict=True):
            parts.append(self.assign(target, name, value[1]))
        return f"{{ {' '.join(parts)} }}"

    def _wanted(self, target: ast.expr) -> Type | None:
        """What a place holds, as far as it is known."""
        if isinstance(target, ast.Name):
            return self.locals.get(target.id)
        if isinstance(target, (ast.Attribute, ast.Subscript)) and not self._learning:
            return self.value(target)[1]
        if isinstance(target, (ast.Attribute, ast.Subscript)):
            try:
                return self.value(target)[1]
            except UnsupportedError:
                return None
        return None

    def _appended(self, name: str) -> Type | None:
        """What is appended to the list that ``name`` is."""
        found: list[Type] = []
        for each in ast.walk(self._node):
            if isinstance(each, ast.Call) and ast.unparse(each.func) == f"{name}.append":
                try:
                    found.append(self.value(each.args[0])[1])
                except UnsupportedError:
                    continue
        return ("list", merge(found, self.program.names)) if found else None

    def _augassign_statement(self, node: ast.AugAssign) -> str:
        sign = COMBINE.get(type(node.op))
        if sign is None or isinstance(node.target, ast.Subscript):
            raise self.fail(node)
        left, of = self.value(node.target)
        right = self.word(node.value, INT)
        if self.program.bare(of)[0] not in ("int", "bool"):
            raise self.fail(node)
        code = f"{sign}({left}, {right})" if sign.isalpha() else f"({left} {sign} {right})"
        return self.assign(node.target, code, INT if of[0] == "int" else of)


def _is_empty(node: ast.expr) -> bool:
    return isinstance(node, (ast.List, ast.Tuple)) and not node.elts


def signature(function: Function) -> str:
    """A function's head in C."""
    parameters = ["word self"] if function.owner is not None else []
    parameters += [f"word v_{name}" for name in function.parameters]
    return f"static word {function.name}({', '.join(parameters) or 'void'})"


__all__ = ["Statements", "signature", "width"]
