"""Expressions of the oracles' Python in C: each becomes one expression and a type."""

import ast
import builtins
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from stage2fuzz.oracles.native.program import (
    Function,
    Program,
    is_number,
    member,
    number,
    text_hash,
    width,
)
from stage2fuzz.oracles.native.types import (
    BOOL,
    DIGEST,
    EMPTY,
    EVENT_FIELDS,
    FUNCTION,
    INT,
    NONE,
    TEXT,
    Type,
    UnsupportedError,
    merge,
    optional,
)

Value = tuple[str, Type]
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
COMPARISONS: Final = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


class Expressions:
    """One function's expressions; ``statements.py`` has the rest of it."""

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

    # Conversions

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
            return f"{start}; {loop} {sum_} = blend({sum_}, {each}); blend({sum_}, LIST({name})->n); }})"
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

    # Values

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

    def text(self, node: ast.expr) -> str:
        """A part of a text: what it would spell."""
        code, of = self.value(node)
        if of == TEXT:
            return code
        if self.program.bare(of)[0] not in ("int", "bool"):
            raise self.fail(node)
        return f"blend(5, {code})"

    def _namedexpr(self, node: ast.NamedExpr, wanted: Type | None) -> Value:
        code, of = self.value(node.value, wanted)
        self.bind(node.target.id, of)
        return f"(v_{node.target.id} = {code})", of

    def bind(self, name: str, of: Type) -> None:
        """Note that a variable holds values of a type, beside those that it is known to hold."""
        before = self.locals.get(name)
        found = [of] if before is None else [before, of]
        self.locals[name] = merge(found, self.program.names)

    # Comparisons

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

    # Literals

    def tuple_of(self, codes: list[str]) -> str:
        """A tuple in the arena."""
        name = self.fresh()
        fill = " ".join(f"{name}[{i}] = {code};" for i, code in enumerate(codes))
        return f"({{ word *{name} = take({8 * len(codes)}); {fill} (word){name}; }})"

    def _tuple(self, node: ast.Tuple, wanted: Type | None) -> Value:
        inner = self.program.bare(wanted) if wanted else None
        starred = any(isinstance(each, ast.Starred) for each in node.elts)
        if inner == DIGEST:
            return self._digest_of(node), DIGEST
        if starred and not inner and len({str(self._held(each)) for each in node.elts}) > 1:
            return self._digest_of(node), DIGEST
        if starred or (inner and inner[0] == "list"):
            return self._list(node, inner)
        if not node.elts:
            return "list_new()", EMPTY
        types: list[Type | None] = [None] * len(node.elts)
        if inner and inner[0] == "tuple" and len(inner[1]) == len(node.elts):
            types = list(inner[1])
        parts = [self.value(e, of) for e, of in zip(node.elts, types, strict=True)]
        codes = [
            self.convert(part, of, node) if of else part[0]
            for part, of in zip(parts, types, strict=True)
        ]
        found = [DIGEST if of == DIGEST else part[1] for part, of in zip(parts, types, strict=True)]
        return self.tuple_of(codes), ("tuple", tuple(found))

    def _held(self, node: ast.expr) -> Type:
        """The type of an element that is written out, or of those that are unpacked there."""
        return self.element(node.value) if isinstance(node, ast.Starred) else self.value(node)[1]

    def _digest_of(self, node: ast.Tuple) -> str:
        """The digest of a tuple that is written out; what is unpacked in it is taken in."""
        sum_, steps, count = self.fresh(), [], []
        for each in node.elts:
            if not isinstance(each, ast.Starred):
                steps.append(f"{sum_} = blend({sum_}, {self.word(each, DIGEST)});")
                count.append("1")
                continue
            if isinstance(each.value, (ast.GeneratorExp, ast.ListComp)):
                code, of = self.value(each.value)
            else:
                code, of = self.value(each.value)
            of, name = self.program.bare(of), self.fresh()
            steps.append(f"word {name} = {code};")
            if of[0] == "tuple":
                for i, part in enumerate(of[1]):
                    one = self.digest(f"TUPLE({name})[{i}]", part, each)
                    steps.append(f"{sum_} = blend({sum_}, {one});")
                count.append(str(len(of[1])))
            elif of[0] == "list":
                at = self.fresh()
                one = self.digest(f"LIST({name})->at[{at}]", of[1], each)
                loop = f"for (word {at} = 0; {at} < LIST({name})->n; {at}++)"
                steps.append(f"{loop} {sum_} = blend({sum_}, {one});")
                count.append(f"LIST({name})->n")
            else:
                raise self.fail(each)
        total = " + ".join(count) or "0"
        return f"({{ word {sum_} = 11; {' '.join(steps)} blend({sum_}, {total}); }})"

    def _list(self, node: ast.List | ast.Tuple, wanted: Type | None) -> Value:
        inner = self.program.bare(wanted) if wanted else None
        of: Type | None = inner[1] if inner and inner[0] == "list" else None
        name, steps, found = self.fresh(), [], []
        for each in node.elts:
            if isinstance(each, ast.Starred):
                element = self.element(each.value)
                found.append(element)
                loop = self.loop(each.value, lambda code: f"list_append({name}, {code});")
                steps.append(loop)
            else:
                part = self.value(each, of)
                found.append(part[1])
                code = self.convert(part, of, each) if of else part[0]
                steps.append(f"list_append({name}, {code});")
        if not node.elts:
            return "list_new()", ("list", of) if of else EMPTY
        held = of or merge(found, self.program.names)
        return f"({{ word {name} = list_new(); {' '.join(steps)} {name}; }})", ("list", held)

    def _dict(self, node: ast.Dict, wanted: Type | None) -> Value:
        if node.keys:
            raise self.fail(node)
        inner = self.program.bare(wanted) if wanted else EMPTY
        each = width(inner[1], self.program.names) if inner[0] == "dict" else 0
        return f"dict_new({each})", inner

    # Comprehensions and loops

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
                return {"items": pair, "values": of[2], "keys": of[1]}[called.attr]
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
            return f"{{ word {name} = {code}; for (word {at} = {first}; {at} >= 0; {at}--) {{ {each} }} }}"
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

    # Calls

    def _call(self, node: ast.Call, wanted: Type | None) -> Value:
        called = node.func
        if isinstance(called, ast.Name):
            if called.id in self.locals:
                return self._through(f"v_{called.id}", node), NONE
            found = self.globals.get(called.id, getattr(builtins, called.id, None))
            if isinstance(found, FunctionType):
                return self._function(self.program.function(found, None), node)
            if hasattr(found, "__wrapped__"):
                return self._function(self.program.function(found.__wrapped__, None), node)
            if isinstance(found, type) and found in self.program.objects:
                return self._construct(found, node)
            return self._builtin(called.id, node, wanted)
        if isinstance(called, ast.Attribute):
            return self._method(called, node, wanted)
        if isinstance(called, ast.Call) and isinstance(called.func, ast.Attribute):
            if called.func.attr == "get" and "on_returned" in ast.unparse(called.func.value):
                arguments = ", ".join(self.word(each, INT) for each in node.args)
                return f"tell_returned({arguments})", NONE
        raise self.fail(node)

    def _through(self, code: str, node: ast.Call) -> str:
        words = ", ".join(["word"] * len(node.args))
        arguments = ", ".join(self.value(each)[0] for each in node.args)
        return f"((word (*)({words})){code})({arguments})"

    def arguments(self, function: Function, node: ast.Call) -> list[str]:
        """What a call passes, in the order of the parameters, with defaults."""
        given = dict(zip(function.parameters, node.args, strict=False))
        given |= {word.arg: word.value for word in node.keywords if word.arg is not None}
        if len(node.args) > len(function.parameters):
            raise self.fail(node)
        defaults = function.python.__defaults__ or ()
        names = list(function.parameters)
        ends = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
        codes = []
        for name, of in function.parameters.items():
            if name in given:
                codes.append(self.word(given[name], of))
            else:
                codes.append(self.program.constant(ends[name])[0])
        return codes

    def _function(self, function: Function, node: ast.Call) -> Value:
        codes = self.arguments(function, node)
        return f"{function.name}({', '.join(codes)})", function.result

    def _construct(self, made: type, node: ast.Call) -> Value:
        function = self.program.function(member(made, "__init__"), made)
        name, of = self.fresh(), ("object", made)
        codes = ", ".join([name, *self.arguments(function, node)])
        new = f"(word)take(sizeof(struct {made.__name__}))"
        return f"({{ word {name} = {new}; {function.name}({codes}); {name}; }})", of

    def _method(self, called: ast.Attribute, node: ast.Call, wanted: Type | None) -> Value:
        name = called.attr
        if isinstance(called.value, ast.Name) and called.value.id == "self":
            special = self._own(name, node, wanted)
            if special is not None:
                return special
        code, of = self.value(called.value)
        of = self.program.bare(of)
        if of == TEXT and name == "join":
            return self._join(node)
        if of == TEXT and name in ("removesuffix", "removeprefix", "lower", "upper", "strip"):
            return f"blend({text_hash(name)}, {code})", TEXT
        if of[0] == "dict":
            return self._dict_method(name, code, of, node)
        if of[0] == "list":
            return self._list_method(name, code, of, node)
        if of[0] == "object":
            found = member(of[1], name)
            if name.startswith("on_"):
                return self._through(self._attribute(called, None)[0], node), NONE
            if isinstance(found, (staticmethod, classmethod)):
                raise self.fail(node)
            if isinstance(found, FunctionType):
                function = self.program.function(found, of[1])
                codes = ", ".join([code, *self.arguments(function, node)])
                return f"{function.name}({codes})", function.result
        raise self.fail(node)

    def _own(self, name: str, node: ast.Call, wanted: Type | None) -> Value | None:
        """What every oracle and the world have from the judge."""
        owner = self.function.owner
        ordinals: dict[type, int] = self.program.names["ordinals"]
        if name == "per_run":
            return self.value(node.args[0], wanted)
        if name in ("violation", "said") and owner in ordinals:
            ordinal = ordinals[owner]
            key = f"blend({ordinal}, {self.text(node.args[0])})"
            return (
                (f"say({ordinal}, {key})", NONE) if name == "violation" else (f"heard({key})", BOOL)
            )
        if name == "on_first_free":
            return "(armed = 1, 0)", NONE
        return None

    def _join(self, node: ast.Call) -> Value:
        name = self.fresh()
        of = self.element(node.args[0]) if not isinstance(node.args[0], ast.GeneratorExp) else TEXT
        if isinstance(node.args[0], ast.GeneratorExp):
            comprehension = node.args[0]
            step = self.each(
                comprehension, lambda: f"{name} = blend({name}, {self.text(comprehension.elt)});"
            )
        elif of == TEXT:
            step = self.loop(node.args[0], lambda code: f"{name} = blend({name}, {code});")
        else:
            raise self.fail(node)
        return f"({{ word {name} = {text_hash('join')}; {step} {name}; }})", TEXT

    def _dict_method(self, name: str, code: str, of: Type, node: ast.Call) -> Value:
        codes = [self.word(each, of[1 + i]) for i, each in enumerate(node.args)]
        arguments = ", ".join([code, *codes])
        if name in ("get", "pop"):
            if len(node.args) == 1:
                missing = "dict_get" if name == "get" else "dict_take"
                end = ", NONE" if name == "get" else ""
                found = optional(of[2]) if name == "get" else of[2]
                return f"{missing}({arguments}{end})", found
            absent = ast.unparse(node.args[1]) == "None"
            return f"dict_{name}({arguments})", optional(of[2]) if absent else of[2]
        if name == "setdefault":
            return f"dict_setdefault({arguments})", of[2]
        if name == "clear":
            return f"(dict_clear({code}), 0)", NONE
        if name in ("values", "keys", "items"):
            element = self.element(node)
            result = self.fresh()
            loop = self.loop(node, lambda each: f"list_append({result}, {self._kept(name, each)});")
            return f"({{ word {result} = list_new(); {loop} {result}; }})", ("list", element)
        raise self.fail(node)

    def _kept(self, name: str, code: str) -> str:
        """An element that outlives its place: an entry may move, or be another's later."""
        if name != "items":
            return code
        pair = self.fresh()
        made = self.tuple_of([f"TUPLE({pair})[0]", f"TUPLE({pair})[1]"])
        return f"({{ word {pair} = {code}; {made}; }})"

    def _list_method(self, name: str, code: str, of: Type, node: ast.Call) -> Value:
        codes = [self.word(each, of[1]) for each in node.args]
        if name == "append":
            return f"(list_append({code}, {codes[0]}), 0)", NONE
        if name == "pop":
            at = self.word(node.args[0], INT) if node.args else "-1"
            return f"list_pop({code}, {at})", of[1]
        if name == "clear":
            return f"(LIST({code})->n = 0)", NONE
        if name == "copy":
            return f"list_cut({code}, 0, INT64_MAX)", of
        each = width(of[1], self.program.names)
        if name == "index":
            return f"list_index({code}, {codes[0]}, {each})", INT
        if name == "remove":
            return f"list_pop({code}, list_index({code}, {codes[0]}, {each}))", NONE
        raise self.fail(node)

    def _builtin(self, name: str, node: ast.Call, wanted: Type | None) -> Value:
        translate: Callable[[ast.Call, Type | None], Value] | None
        translate = getattr(self, f"_call_{name}", None)
        if translate is None:
            raise self.fail(node)
        return translate(node, wanted)

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
        name, held = self.fresh(), []

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
