"""translate(): all oracles as one file of C that says who would speak of a run.

What is told to whom, and in which order, comes from the same places as the judge in Python has it:
``handlers.py``, the classes themselves, and ``judge.WORLD_LAST``.
"""

import ast
import sys
from dataclasses import dataclass
from enum import Enum
from types import FunctionType, ModuleType
from typing import Any, Final

from stage2fuzz.events import KINDS, RETURN
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.catalogue import ORACLES
from stage2fuzz.oracles.handlers import ALWAYS, ANNOUNCEMENTS, EVENTS, FIELDS, named_fields
from stage2fuzz.oracles.judge import WORLD_LAST
from stage2fuzz.oracles.native.program import (
    Function,
    Program,
    definition,
    hints_of,
    member,
    text_hash,
)
from stage2fuzz.oracles.native.statements import Statements, signature
from stage2fuzz.oracles.native.types import BOOL, TEXT, Type, UnsupportedError, read
from stage2fuzz.oracles.world import World
from stage2fuzz.rules import Rules
from stage2fuzz.window import Window

FIELDS_IN_C: Final = ("i", "e->thread", "e->where", "e->old", "e->new_", "e->aux")
"""What a handler of an event may name, in the order of ``FIELDS``."""


@dataclass(frozen=True, slots=True)
class Translation:
    """The oracles in C."""

    text: str
    functions: int


def translate() -> Translation:
    """The whole catalogue in C. UnsupportedError names what is outside the subset, and where."""
    program = _program()
    begin = program.function(member(World, "begin"), World)
    window = program.function(member(Window, "__init__"), Window)
    setups = [
        f"\t{program.function(member(each, 'setup'), each).name}((word)&o_{each.__name__});"
        for each in ORACLES
        if "setup" in vars(each)
    ]
    tellers = [_teller(program, name) for name in ANNOUNCEMENTS]
    feed = _feed(program)
    rules = _rules(program)
    bodies = []
    while program.waiting:
        bodies.append(_define(program, program.waiting.pop(0)))
    heads = [f"{signature(each)} __attribute__((unused));" for each in program.functions.values()]
    heads += [
        f"static word tell_{name}({', '.join(f'word v_{field}' for field in FIELDS[name])});"
        for name in ANNOUNCEMENTS
    ]
    follow = _follow(begin.name, window.name, setups)
    parts = [*_structs(program), *heads, *program.constants, *bodies, *tellers, feed, rules, follow]
    text = "\n".join(['#include "runtime.h"', "", *parts, '#include "door.h"', ""])
    return Translation(text, len(program.functions))


def _define(program: Program, function: Function) -> str:
    """A function in C; a text that is made of numbers alone may be told by these numbers."""
    try:
        return Statements(program, function).define()
    except UnsupportedError:
        numbers = all(of[0] in ("int", "bool") for of in function.parameters.values())
        if function.result != TEXT or function.owner is not None or not numbers:
            raise
    code = text_hash(function.name)
    for name in function.parameters:
        code = f"blend({code}, v_{name})"
    return f"{signature(function)}\n{{\n\treturn {code};\n}}\n"


def _program() -> Program:
    """An empty program that knows the oracles' classes and what each object is made of."""
    modules = [sys.modules[name] for name in dict.fromkeys(_modules())]
    names: dict[str, Any] = {}
    for module in modules:
        names |= vars(module)
    ordinals = {each: i for i, each in enumerate(ORACLES)}
    if len(ordinals) > 128:
        raise UnsupportedError("more than 128 oracles")
    program = Program(names | {"told": frozenset(ANNOUNCEMENTS), "ordinals": ordinals})
    classes = [Rules, *_helpers(modules), World, *ORACLES]
    program.objects |= {each: {} for each in classes}
    for each in classes:
        _attributes(program, each)
    return program


def _modules() -> list[str]:
    """The modules whose classes and aliases the oracles use."""
    parts = [*World.__mro__[:-1], Window, *ORACLES]
    return [each.__module__ for each in parts]


def _helpers(modules: list[ModuleType]) -> list[type]:
    """The plain classes of those modules, each where it is defined."""
    return [
        found
        for module in modules
        for found in vars(module).values()
        if isinstance(found, type)
        and found.__module__ == module.__name__
        and not issubclass(found, (Oracle, Enum, World.__mro__[1]))
    ]


def _attributes(program: Program, owner: type) -> None:
    """Find what an object of ``owner`` holds: what is annotated, or told by what is stored."""
    found = program.objects[owner]
    if owner is Rules:
        found |= dict.fromkeys(Rules.__annotations__, BOOL)
        return
    if issubclass(owner, Oracle):
        found["world"] = ("object", World)
    for base in reversed(owner.__mro__[:-1]):
        if base is Oracle:
            continue
        for python in vars(base).values():
            if isinstance(python, property):
                python = python.fget
            if isinstance(python, FunctionType) and python.__module__ == base.__module__:
                _stored(program, owner, python)


def _stored(program: Program, owner: type, python: FunctionType) -> None:
    """Note what a method stores in its object."""
    found = program.objects[owner]
    scope: Statements | None = None
    for node in ast.walk(definition(python)):
        if isinstance(node, ast.AnnAssign):
            name = _own(node.target)
            if name and not name.startswith("on_"):
                annotation = eval(ast.unparse(node.annotation), python.__globals__)
                found[name] = read(annotation, program.names)
        elif isinstance(node, ast.Assign):
            scope = scope or _scope(program, owner, python)
            for target in node.targets:
                for name, value in _pairs(target, node.value):
                    of = _type_of(scope, value)
                    if of is not None:
                        found.setdefault(name, of)


def _scope(program: Program, owner: type, python: FunctionType) -> Statements:
    """A method's parameters, to tell types by; nothing is translated for it."""
    apart = Program(program.names, objects=program.objects)
    scope = Statements(apart, apart.function(python, owner))
    hints = hints_of(python)
    scope.locals |= {
        name: read(hint, program.names) for name, hint in hints.items() if name != "return"
    }
    return scope


def _type_of(scope: Statements, value: ast.expr) -> Type | None:
    try:
        return scope.value(value)[1]
    except UnsupportedError:
        return None


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[str, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        sides = zip(target.elts, value.elts, strict=True)
        return [pair for left, right in sides for pair in _pairs(left, right)]
    name = _own(target)
    return [(name, value)] if name and not name.startswith("on_") else []


def _own(target: ast.expr) -> str:
    """``x`` of ``self.x``, else nothing."""
    own = isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
    return target.attr if own and isinstance(target, ast.Attribute) else ""


def _structs(program: Program) -> list[str]:
    """What each object is made of, and the objects that there is one of."""
    structs = []
    for owner, attributes in program.objects.items():
        words = "".join(f"\tword {name}_;\n" for name in attributes) or "\tword none_;\n"
        structs.append(f"struct {owner.__name__} {{\n{words}}};")
    structs += [f"static struct {each.__name__} o_{each.__name__};" for each in ORACLES]
    asked = [each for each in ORACLES if _is_conditional(each)]
    structs += [f"static word use_{each.__name__};" for each in asked]
    return [
        *structs,
        "static struct World world;",
        "static struct Rules rules;",
        "static word armed;",
    ]


def _call(program: Program, oracle: type[Oracle], name: str, fields: dict[str, str]) -> str:
    """Tell one oracle, if it is asked at all."""
    python = getattr(oracle, name)
    function = program.function(python, oracle)
    named = named_fields(oracle, name, FIELDS[name])
    codes = ", ".join([f"(word)&o_{oracle.__name__}", *(fields[each] for each in named)])
    asked = f"if (use_{oracle.__name__}) " if _is_conditional(oracle) else ""
    return f"{asked}{function.name}({codes});"


def _is_conditional(oracle: type[Oracle]) -> bool:
    return oracle.lasso or "applies" in vars(oracle)


def _teller(program: Program, name: str) -> str:
    """The function that tells all who want to hear of an announcement."""
    fields = FIELDS[name]
    lines = [f"\t(void)v_{field};" for field in fields]
    for oracle in ORACLES:
        if not hasattr(oracle, name):
            continue
        call = _call(program, oracle, name, {field: f"v_{field}" for field in fields})
        if name == "returned" and oracle.returns:
            test = " || ".join(f"v_code == {code}" for code in oracle.returns)
            call = f"if ({test}) {{ {call} }}"
        lines.append(f"\t{call}")
    head = f"static word tell_{name}({', '.join(f'word v_{field}' for field in fields)})"
    return "\n".join([head, "{", *lines, "\treturn 0;", "}", ""])


def _feed(program: Program) -> str:
    """One event after another, to the world and to whoever wants to hear of it."""
    cases = []
    for kind, name in EVENTS.items():
        fields = dict(zip(FIELDS[name], FIELDS_IN_C, strict=True))
        heard = [each for each in ORACLES if hasattr(each, name)]
        own = [_call(program, e, name, fields) for e in heard if name not in e.late]
        late = [_call(program, e, name, fields) for e in heard if name in e.late]
        facts = _facts(program, name, fields)
        lines = own + facts if kind in WORLD_LAST else facts + own
        if late:
            lines.append(f"if (armed) {{ {' '.join(late)} }}")
        if lines:
            cases.append("\n".join([f"\tcase {kind}:", *(f"\t\t{e}" for e in lines), "\t\tbreak;"]))
    fields = dict(zip((*ALWAYS, *KINDS[RETURN].fields), FIELDS_IN_C, strict=True))
    lines = _facts(program, "returned", fields)
    cases.append("\n".join([f"\tcase {RETURN}:", *(f"\t\t{e}" for e in lines), "\t\tbreak;"]))
    body = "\n".join(cases)
    return (
        "static void feed(const struct s2_event *e, word i)\n{\n\tswitch (e->kind) {\n"
        f"{body}\n\t}}\n}}\n"
    )


def _facts(program: Program, name: str, fields: dict[str, str]) -> list[str]:
    """What the world makes of an event."""
    python = member(World, name)
    if not isinstance(python, FunctionType):
        return []
    function = program.function(python, World)
    codes = ", ".join(["(word)&world", *(fields[each] for each in function.parameters)])
    return [f"{function.name}({codes});"]


def _rules(program: Program) -> str:
    """Who is asked at all, in an era and where a state may have returned."""
    names = list(program.objects[Rules])
    lines = [f"\trules.{name}_ = bits_ >> {i} & 1;" for i, name in enumerate(names)]
    for oracle in ORACLES:
        if "applies" in vars(oracle):
            python = vars(oracle)["applies"].__func__
            function = program.function(python, oracle)
            line = f"\tuse_{oracle.__name__} = {function.name}(0, (word)&rules);"
            lines.append(line)
    body = "\n".join(lines)
    return f"static void set_rules(uint64_t bits_)\n{{\n{body}\n}}\n"


def _follow(begin: str, window: str, setups: list[str]) -> str:
    """A run from its first event to its last."""
    lassos = "\n".join(f"\tuse_{each.__name__} = lasso;" for each in ORACLES if each.lasso)
    worlds = "\n".join(f"\to_{each.__name__}.world_ = (word)&world;" for each in ORACLES)
    setup = "\n".join(setups)
    return f"""static void follow(const struct s2_event *events, word count, word vcpus,
                   word threads, word lasso)
{{
	word all = list_new();
	word *at = take(8 * count);

	LIST(all)->at = at;
	LIST(all)->n = LIST(all)->room = count;
	for (word i = 0; i < count; i++) {{
		at[i] = (word)&events[i];
		if (RARE(events[i].where == NONE || events[i].old == NONE || events[i].new_ == NONE))
			leave();
	}}
	armed = 0;
{lassos}
{worlds}
	world.window_ = (word)take(sizeof(struct Window));
	{window}(world.window_, 0, 0);
	{begin}((word)&world, all, (word)&rules, vcpus, threads);
{setup}
	for (word i = 0; i < count; i++)
		feed(&events[i], i);
}}
"""
