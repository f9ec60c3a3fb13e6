"""Mutation run: spoil one line of the service at a time, and see whether its tests notice.

Run it from the root of the checkout: ``python -m tests.service.mutation`` for all of coordinator,
worker and findings that it knows, or name parts. Each mutant is one change of one operator,
constant, condition or statement; it lives in a forked process only, no file is touched. All of them
take hours, so they are tried in an order drawn from ``--seed`` until ``--seconds`` are over: what
was tried is a fair sample. The share of killed mutants is printed at the end, and each survivor
with its line: either a test is missing, or the change changes nothing that anybody asks for. The
exit code is 1 where fewer are killed than ``--least`` per cent.
"""

import argparse
import ast
import contextlib
import copy
import importlib
import importlib.abc
import importlib.util
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

SECONDS = 240.0
"""For the tests of one mutant; one that makes them hang is killed, and so dead."""
PARTS = {
    "leases": (
        "stage2fuzz/findings/leases.py",
        ("test_leases", "test_announcements", "test_owners", "test_bad_records", "test_worker"),
    ),
    "plan": ("coordinator/plan.py", ("test_plan_and_merge",)),
    "merge": ("coordinator/merge.py", ("test_plan_and_merge",)),
    "loop": ("coordinator/loop.py", ("test_coordinator", "test_owners", "test_bad_records")),
    "books": ("stage2fuzz/findings/books.py", ("test_coordinator", "test_leases", "test_owners")),
    "announcements": (
        "stage2fuzz/findings/announcements.py",
        ("test_announcements", "test_leases", "test_coordinator", "test_owners"),
    ),
    "campaigns": ("stage2fuzz/findings/campaigns.py", ("test_owners", "test_leases")),
    "job": ("worker/job.py", ("test_worker",)),
    "tasks": ("worker/tasks.py", ("test_worker", "test_security")),
    "fuzzing": ("worker/fuzzing.py", ("test_worker",)),
    "seen": ("stage2fuzz/findings/seen.py", ("../findings/test_store",)),
}
"""Name -> the file that is spoiled, and the tests that have to notice."""
SOUND = (
    *("pytest", "sqlalchemy.orm", "alembic.command", "celery", "psycopg"),
    *("stage2fuzz.findings.database", "stage2fuzz.findings.models", "stage2fuzz.run"),
    *("stage2fuzz.session.case_asker", "stage2fuzz.session.measure", "stage2fuzz.model.engine"),
)
"""What no mutant changes."""
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
}
FEW = 3
"""A number below is spoiled by one more: what it counts is exact and no limit."""
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


class Importer(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another text."""

    def __init__(self, module: str, path: Path, tree: ast.Module) -> None:
        self.module, self.path, self.tree = module, path, tree

    def find_spec(self, name: str, *_more: object) -> ModuleSpec | None:
        """A spec for our module only."""
        if name != self.module:
            return None
        return importlib.util.spec_from_loader(name, self, origin=str(self.path))

    def exec_module(self, module: ModuleType) -> None:
        """Run the spoiled text."""
        module.__file__ = str(self.path)
        exec(compile(self.tree, str(self.path), "exec"), module.__dict__)


@dataclass(frozen=True)
class Change:
    """Set a field of a node."""

    field: str
    value: object

    def __call__(self, node: ast.AST) -> None:
        """Do it, with a copy, since each mutant has a tree of its own."""
        setattr(node, self.field, copy.deepcopy(self.value))


Ways = Iterator[tuple[str, Change]]
"""What can be spoiled about a node: in words, and how."""


def of_compare(node: ast.Compare) -> Ways:
    """Another comparison.

    Two readings of the clock are never the same to the last digit, so that no test could tell
    "before" from "not after": with the time in it, a comparison is turned round.
    """
    text = ast.unparse(node)
    table = TURNED if "now()" in text or "monotonic()" in text else COMPARISONS
    if new := table.get(type(node.ops[0])):
        words = f"{type(node.ops[0]).__name__} -> {new.__name__}"
        yield words, Change("ops", [new(), *node.ops[1:]])


def of_operator(node: ast.BinOp) -> Ways:
    """Another operator."""
    if new := OPERATORS.get(type(node.op)):
        yield f"{type(node.op).__name__} -> {new.__name__}", Change("op", new())


def of_condition(node: ast.BoolOp) -> Ways:
    """And for or, and one condition less."""
    other: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield "and <-> or", Change("op", other)
    for at in range(len(node.values)):
        left = [*node.values[:at], *node.values[at + 1 :]]
        yield f"condition {at + 1} dropped", Change("values", left if len(left) > 1 else 2 * left)


def of_not(node: ast.UnaryOp) -> Ways:
    """The opposite, by negating twice."""
    if isinstance(node.op, ast.Not | ast.Invert):
        yield "not dropped", Change("operand", ast.UnaryOp(node.op, node.operand))


def of_constant(node: ast.Constant) -> Ways:
    """One more of few, ten times as much of many; the other truth."""
    if isinstance(node.value, bool):
        yield f"{node.value} -> {not node.value}", Change("value", not node.value)
    elif isinstance(node.value, int | float):
        new = node.value + 1 if abs(node.value) < FEW else 10 * node.value
        yield f"{node.value} -> {new}", Change("value", new)


def of_branch(node: ast.If) -> Ways:
    """One branch always."""
    yield "if True", Change("test", ast.Constant(True))
    yield "if False", Change("test", ast.Constant(False))


def of_return(node: ast.Return) -> Ways:
    """Nothing comes back."""
    if node.value is not None:
        yield "returns None", Change("value", ast.Constant(None))


def of_name(node: ast.Attribute) -> Ways:
    """Another state."""
    if node.attr in {"READY", "LEASED", "OPEN", "KEPT"}:
        yield f"{node.attr} -> POISONED", Change("attr", "POISONED")


def of_call(node: ast.Call) -> Ways:
    """A condition or a column less in a statement of SQL."""
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in {"where", "and_", "or_", "exists"} and len(node.args) > 1:
        for at, argument in enumerate(node.args):
            left = [*node.args[:at], *node.args[at + 1 :]]
            yield f"condition dropped: {ast.unparse(argument)[:50]}", Change("args", left)
    if name == "values":
        for at, keyword in enumerate(node.keywords):
            words = [*node.keywords[:at], *node.keywords[at + 1 :]]
            yield f"{keyword.arg} is not written", Change("keywords", words)


def of_body(node: ast.FunctionDef | ast.For | ast.With) -> Ways:
    """A call less."""
    for at, statement in enumerate(node.body):
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            body = [*node.body[:at], ast.Pass(), *node.body[at + 1 :]]
            yield f"dropped: {ast.unparse(statement)[:50]}", Change("body", body)


WAYS: dict[type[ast.AST], Callable[[Any], Ways]] = {
    ast.Compare: of_compare,
    ast.BinOp: of_operator,
    ast.BoolOp: of_condition,
    ast.UnaryOp: of_not,
    ast.Constant: of_constant,
    ast.If: of_branch,
    ast.Return: of_return,
    ast.Attribute: of_name,
    ast.Call: of_call,
    ast.FunctionDef: of_body,
    ast.For: of_body,
    ast.With: of_body,
}


def nothing(_node: ast.AST) -> Ways:
    """What is spoiled about every other node."""
    yield from ()


@dataclass(frozen=True, eq=False)
class Mutant:
    """One change of one node of a part's file, the node by its number in ``ast.walk``."""

    part: str
    line: int
    what: str
    node: int
    change: Change

    def tree(self) -> ast.Module:
        """The spoiled file."""
        spoiled = parsed(self.part)
        self.change(next(each for at, each in enumerate(ast.walk(spoiled)) if at == self.node))
        return ast.fix_missing_locations(spoiled)


def parsed(part: str) -> ast.Module:
    """The sound file of a part."""
    return ast.parse((ROOT / PARTS[part][0]).read_text())


def mutants(part: str) -> Iterator[Mutant]:
    """Every mutant of a part; decorators stay, since whether a record is frozen mypy asks."""
    sound = parsed(part)
    decorators = {
        inner
        for node in ast.walk(sound)
        for outer in getattr(node, "decorator_list", ())
        for inner in ast.walk(outer)
    }
    for number, node in enumerate(ast.walk(sound)):
        if node in decorators:
            continue
        for what, change in WAYS.get(type(node), nothing)(node):
            yield Mutant(part, getattr(node, "lineno", 0), what, number, change)


def module_of(file: str) -> str:
    """The module that a file is."""
    module = file.removesuffix(".py").replace("/", ".")
    return module if module.startswith("stage2fuzz") else f"stage2fuzz.{module}"


def asked(words: str) -> list[Mutant]:
    """The mutants of ``PART`` or of ``PART:LINE``."""
    part, _, line = words.partition(":")
    return [each for each in mutants(part) if not line or each.line == int(line)]


def killed(file: str, tests: tuple[str, ...], tree: ast.Module) -> bool:
    """Whether the tests notice, in a process of their own."""
    child = os.fork()
    if child == 0:
        os.setsid()
        with contextlib.suppress(BaseException):
            os._exit(run_tests(Importer(module_of(file), ROOT / file, tree), tests))
        os._exit(70)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) != 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def run_tests(importer: Importer, tests: tuple[str, ...]) -> int:
    """Run the tests with the spoiled module; 0 where they notice nothing."""
    import pytest  # noqa: PLC0415

    sys.meta_path.insert(0, importer)
    silent = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silent, stream)
    files = [str((ROOT / "tests" / "service" / f"{name}.py").resolve()) for name in tests]
    options = ["-x", "-q", "-p", "no:cacheprovider", "--assert=plain", "-k", "not postgresql"]
    return int(pytest.main([*options, *files]))


def preload() -> None:
    """Import what no mutant changes once, before the forks."""
    for name in SOUND:
        importlib.import_module(name)
    for file, _tests in PARTS.values():
        if module_of(file) in sys.modules:
            raise SystemExit(f"{module_of(file)} was imported sound")


def try_all(drawn: Sequence[Mutant], seconds: float) -> dict[Mutant, bool]:
    """Whether each is killed, as many of them as there is time for; survivors are printed."""
    begun, tried = time.monotonic(), dict[Mutant, bool]()
    for mutant in drawn:
        spent = time.monotonic() - begun
        if seconds and spent > seconds:
            break
        tried[mutant] = killed(*PARTS[mutant.part], mutant.tree())
        if not tried[mutant]:
            file = PARTS[mutant.part][0]
            print(f"  survives: {file}:{mutant.line}: {mutant.what}", flush=True)
        if sys.stderr.isatty():
            whole = (time.monotonic() - begun) / len(tried) * len(drawn)
            left = max(0.0, (min(whole, seconds) if seconds else whole) - spent)
            sys.stderr.write(f"\r{len(tried)} of {len(drawn)}, {left:.0f} s left  ")
    return tried


def report(every: Sequence[Mutant], tried: Mapping[Mutant, bool]) -> float:
    """Print what was killed, by part and of all; the share of all in per cent."""
    for part in dict.fromkeys(each.part for each in every):
        dead = [is_dead for mutant, is_dead in tried.items() if mutant.part == part]
        of = sum(each.part == part for each in every)
        print(f"{part}: {sum(dead)} of {len(dead)} killed (there are {of})")
    share = 100 * sum(tried.values()) / max(1, len(tried))
    print(f"all: {sum(tried.values())} of {len(tried)} mutants killed, {share:.0f} %", end="")
    print(f" (a sample of {len(every)})" if len(tried) < len(every) else "")
    return share


def main() -> int:
    """Spoil, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    names = f"of {', '.join(PARTS)}, with :LINE for one line of it; all by default"
    parser.add_argument("parts", nargs="*", help=names)
    parser.add_argument("--seconds", type=float, default=0, help="end after so many; 0: try all")
    parser.add_argument("--seed", type=int, default=1, help="of the order in which they are tried")
    parser.add_argument("--least", type=float, default=80.0, help="per cent to be killed")
    given = parser.parse_args()
    preload()
    every = [mutant for part in given.parts or PARTS for mutant in asked(part)]
    for part in {mutant.part for mutant in every}:
        if killed(*PARTS[part], parsed(part)):
            raise SystemExit(f"{part}: its tests fail on the sound code")
    drawn = random.Random(given.seed).sample(every, len(every))
    return 0 if report(every, try_all(drawn, given.seconds)) >= given.least else 1


if __name__ == "__main__":
    sys.exit(main())
