"""The house's rule: who may import whom, read from the imports themselves.

``python -m tests.test_imports`` prints the table of ``docs/architecture.md``.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPLICATIONS = ("worker", "coordinator", "fuzz_targets")
"""Folders at the top of the checkout that are parts of the package."""


@dataclass(frozen=True)
class Part:
    """One part of the package, and the parts that it may import."""

    name: str
    may: frozenset[str]
    remark: str = ""


def part(name: str, may: str = "", remark: str = "") -> Part:
    return Part(name, frozenset(may.split()), remark)


PARTS = (
    part("errors", remark="the two exceptions"),
    part("rules", remark="an era's rules"),
    part("arch", remark="numbers of the Arm manual and of Linux"),
    part("places", remark="where the package's own files lie"),
    part("source", remark="lines of the user's tree, as words"),
    part("event_kind", remark="the form of a row of the table of events"),
    part("events", "arch errors event_kind", "the one language of engines and oracles"),
    part("schedule", "arch errors event_kind events", "knows no engine and no case"),
    part("window", "arch events", "shared by engines and oracles: the Arm manual's side"),
    part("case", "arch errors schedule"),
    part(
        "engine",
        "arch case errors events rules schedule source",
        "opens engines by name: imports none",
    ),
    part("process", "errors places", "knows no case, no order and no oracle"),
    part("model", "arch case engine errors events rules schedule window"),
    part(
        "kernel",
        "arch case engine errors event_kind events places process rules schedule source window",
    ),
    part(
        "hyp",
        "case engine errors events kernel process rules schedule source",
        "EL2 of pKVM; the runtime and the builder are the other engine's",
    ),
    part("oracles", "arch errors event_kind events rules source window", "no engine, no case"),
    part("minimise", "arch case errors schedule", "no engine: the predicate is handed in"),
    part("run", "case engine errors events oracles schedule source"),
    part("report", "arch case errors event_kind events oracles source"),
    part("service", "case engine errors places process"),
    part("known", "engine errors places", "the list of known causes, and what it holds of"),
    part(
        "findings",
        "arch case engine errors events known oracles schedule service",
        "all of SQLAlchemy",
    ),
    part("fuzz", "arch case engine errors event_kind events oracles places run schedule source"),
    part(
        "session",
        "arch case engine errors events findings fuzz known minimise oracles places process report "
        "run schedule source",
    ),
    part(
        "studies",
        "arch case engine errors events findings fuzz hyp kernel known minimise oracles places "
        "process report rules run schedule session",
        "those that compile a tree alone of all engines",
    ),
    part(
        "confirm",
        "arch case engine errors events process run schedule",
        "a schedule forced onto a real kernel",
    ),
    part(
        "prove",
        "arch case engine errors events fuzz kernel oracles process run schedule studies",
        "every interleaving of a small scenario",
    ),
    part(
        "check",
        "arch case engine errors events fuzz hyp kernel minimise oracles places process prove "
        "report rules run schedule session source studies",
        "versions of one code",
    ),
    part(
        "web",
        "case check engine errors findings kernel oracles places process prove report run session "
        "source studies",
        "pages, JSON, MCP; all of Starlette",
    ),
    part("fuzz_targets", "case engine errors fuzz places process", "scripts; all of Atheris"),
    part(
        "worker",
        "case confirm engine errors findings fuzz minimise oracles places process report run "
        "schedule service session source",
    ),
    part("coordinator", "case errors findings process service"),
    part(
        "cli",
        "arch case check confirm engine errors events findings fuzz fuzz_targets hyp kernel "
        "minimise known model oracles places process prove report rules run schedule service "
        "session source studies web",
        "starts the service and the targets",
    ),
    part("__main__", "cli"),
)
"""Each part may import only parts that stand before it."""
BY_NAME = {each.name: each for each in PARTS}
PURE = ("model", "schedule", "oracles", "minimise")
COMPILES = "stage2fuzz/oracles/native/build.py"
"""Finds the compiler and the cache of what is compiled from the pure text."""
IMPURE = {"time", "random", "os", "threading", "asyncio", "datetime", "secrets", "uuid"}
BEGIN, END = "<!-- parts: begin -->", "<!-- parts: end -->"


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def modules() -> dict[str, Path]:
    """Every module of the package by the name under which it is imported."""
    named = {}
    for path in sources("stage2fuzz", *APPLICATIONS):
        names = [*path.relative_to(ROOT).with_suffix("").parts]
        if names[0] != "stage2fuzz":
            names.insert(0, "stage2fuzz")
        if names[-1] == "__init__":
            names.pop()
        named[".".join(names)] = path
    return named


MODULES = modules()


def imports(path: Path) -> set[str]:
    """The dotted names that a file imports, whether for running or for types alone."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name in MODULES else str(node.module))
    return found


def part_of(module: str) -> str:
    """The part of a module; the package itself is none."""
    return module.split(".")[1] if "." in module else ""


def used_by(name: str) -> set[str]:
    """The other parts that a part imports."""
    mine = (path for module, path in MODULES.items() if part_of(module) == name)
    used = {one for path in mine for one in imports(path) if one.startswith("stage2fuzz.")}
    return {part_of(one) for one in used} - {name}


def table() -> Iterator[str]:
    """The table as ``docs/architecture.md`` has it: what may be, not what is."""
    yield "| part | may import | |"
    yield "|---|---|---|"
    above: list[Part] = []
    for each in PARTS:
        may = [other.name for other in above if other.name in each.may]
        never = [other.name for other in above if other.name not in each.may]
        named = ", ".join(may) or "nothing"
        rest = f"all above but {', '.join(never)}"
        yield f"| `{each.name}` | {min(named, rest, key=len)} | {each.remark} |"
        above.append(each)


def test_every_part_has_a_row_and_every_row_a_part() -> None:
    assert {part_of(module) for module in MODULES} - {""} == set(BY_NAME)
    assert len(PARTS) == len(BY_NAME)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_part_imports_only_what_its_row_allows(name: str) -> None:
    assert used_by(name) - BY_NAME[name].may == set()


def test_the_rows_allow_no_circle_of_parts() -> None:
    before: set[str] = set()
    for each in PARTS:
        assert each.may <= before, each.name
        before.add(each.name)


def test_no_module_imports_itself_over_others_not_even_for_types() -> None:
    graph = {module: imports(path) & MODULES.keys() - {module} for module, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_the_package_itself_imports_none_of_its_parts() -> None:
    code = "import stage2fuzz, sys; print(*(n for n in sys.modules if n.startswith('stage2fuzz.')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.split() == []


def test_only_the_findings_know_sqlalchemy_and_only_targets_atheris() -> None:
    for module, path in MODULES.items():
        top = {name.split(".")[0] for name in imports(path)}
        assert "sqlalchemy" not in top or part_of(module) == "findings", path
        assert "atheris" not in top or part_of(module) == "fuzz_targets", path


def test_the_pure_parts_use_no_clock_no_chance_no_system() -> None:
    for path in sources(*(f"stage2fuzz/{name}" for name in PURE)):
        if path == ROOT / COMPILES:
            continue
        used = {name.split(".")[0] for name in imports(path)} & IMPURE
        tree = path.read_text()
        if used == {"random"} and "from random import Random" in tree:
            continue  # a generator of one's own, from a seed, is no chance
        assert used == set(), path


def test_the_document_shows_this_table() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    shown = text.partition(BEGIN)[2].partition(END)[0].strip()
    assert shown == "\n".join(table()), "print it: python -m tests.test_imports"


if __name__ == "__main__":
    print("\n".join(table()))
