"""The house's rule: who may import whom, read from the imports themselves."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FACTS = {"arch", "events", "kind", "errors", "rules"}
CASES = {"case", "schedule"}
ALLOWED = {
    "errors": set(),
    "rules": set(),
    "arch": set(),
    "places": set(),
    "kind": set(),
    "events": {"arch", "kind"},
    "schedule": {"arch", "errors", "events", "kind"},
    "window": {"arch", "events"},
    "engine": {"arch", "events", "errors", "case", "rules", "schedule"},
    "case": {"arch", "errors", "schedule"},
    "model": FACTS | CASES | {"window", "engine"},
    "kernel": FACTS | CASES | {"window", "engine"},
    "oracles": FACTS | {"window"},
    "minimise": {"arch", "errors", "case", "schedule"},
    "findings": FACTS | CASES | {"oracles", "service"},
    "report": FACTS | CASES | {"oracles"},
}
"""Part of stage2fuzz -> parts it may import; parts that are not named here may import all."""
PURE = ("model", "schedule", "oracles", "minimise")
IMPURE = {"time", "random", "os", "threading", "asyncio", "datetime", "secrets", "uuid"}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, with its dotted name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "stage2fuzz":
                found |= {f"stage2fuzz.{alias.name}" for alias in node.names}
    return found


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def part(path: Path) -> str:
    """The part of stage2fuzz that a file belongs to."""
    return path.relative_to(ROOT / "stage2fuzz").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sources("stage2fuzz"), ids=lambda path: str(path.name))
def test_a_part_imports_only_what_it_may(path: Path) -> None:
    me = part(path)
    if me not in ALLOWED:
        return
    used = {name.split(".")[1] for name in imports(path) if name.startswith("stage2fuzz.")}
    assert used - ALLOWED[me] - {me} == set()


def test_application_folders_never_import_one_another() -> None:
    for folder in ("worker", "coordinator", "fuzz_targets"):
        others = {"worker", "coordinator", "fuzz_targets"} - {folder}
        for path in sources(folder):
            used = {name.split(".")[1] for name in imports(path) if name.startswith("stage2fuzz.")}
            assert used & others == set(), path


def test_only_the_findings_know_sqlalchemy_and_only_targets_atheris() -> None:
    for path in sources("stage2fuzz", "coordinator", "worker", "fuzz_targets"):
        top = {name.split(".")[0] for name in imports(path)}
        if "sqlalchemy" in top:
            assert "findings" in path.parts, path
        if "atheris" in top:
            assert "fuzz_targets" in path.parts, path


def test_the_pure_parts_use_no_clock_no_chance_no_system() -> None:
    for path in sources(*(f"stage2fuzz/{name}" for name in PURE)):
        used = {name.split(".")[0] for name in imports(path)} & IMPURE
        tree = path.read_text()
        if used == {"random"} and "from random import Random" in tree:
            continue  # a generator of one's own, from a seed, is no chance
        assert used == set(), path
