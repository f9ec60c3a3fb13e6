"""Calls of functions and methods in C."""

import ast
import builtins
from types import FunctionType

from stage2fuzz.oracles.native.builtin_calls import BuiltinCalls
from stage2fuzz.oracles.native.program import (
    Function,
    member,
    text_hash,
    width,
)
from stage2fuzz.oracles.native.scope import Value
from stage2fuzz.oracles.native.types import (
    BOOL,
    INT,
    NONE,
    TEXT,
    Type,
    optional,
)


class Calls(BuiltinCalls):
    """What is called: our own functions by their names in C, containers by the runtime's."""

    def _call(self, node: ast.Call, wanted: Type | None) -> Value:
        called = node.func
        if isinstance(called, ast.Name):
            if called.id in self.locals:
                return self._through(f"v_{called.id}", node), NONE
            found = self.globals.get(called.id, getattr(builtins, called.id, None))
            if isinstance(found, FunctionType):
                return self._function(self.program.function(found, None), node)
            wrapped = getattr(found, "__wrapped__", None)
            if isinstance(wrapped, FunctionType):
                return self._function(self.program.function(wrapped, None), node)
            if isinstance(found, type) and found in self.program.objects:
                return self._construct(found, node)
            return self._builtin(called.id, node, wanted)
        if isinstance(called, ast.Attribute):
            return self._method(called, node, wanted)
        if isinstance(called, ast.Call) and ast.unparse(called).startswith("self.on_returned.get("):
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
