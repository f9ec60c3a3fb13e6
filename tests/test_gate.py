"""The gate's own promises: in CI nothing is skipped that could have been run; tests can fail."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SKIPS = """
import pytest

def test_needs_a_tree():
    pytest.skip("needs a Linux tree: set STAGE2FUZZ_KERNEL_TREE to its path")

@pytest.mark.skipif(True, reason="no PostgreSQL server is installed")
def test_needs_a_server():
    pass

def test_cannot_be_had():
    pytest.skip("no file system may be mounted here")
"""


@pytest.mark.parametrize(
    ("ci", "said"),
    [("1", "1 failed, 1 skipped, 1 error"), ("0", "3 skipped"), ("", "3 skipped")],
)
def test_a_skipped_test_fails_in_ci_unless_nothing_could_be_installed(
    ci: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "test_skips.py").write_text(SKIPS)
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        env={**os.environ, "STAGE2FUZZ_CI": ci},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in done.stdout, done.stdout


def test_the_gate_is_a_script_that_a_shell_can_read() -> None:
    for name in (".ci/run", "run"):
        assert os.access(ROOT / name, os.X_OK)
        subprocess.run(["bash", "-n", str(ROOT / name)], check=True)


def test_the_slow_tests_that_ci_runs_exist() -> None:
    asked = (ROOT / ".ci" / "slow").read_text().splitlines()
    names = [line for line in asked if line and not line.startswith("#")]
    assert names
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "slow", "--collect-only", "-q", *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_test_function_has_an_assertion_of_its_own() -> None:
    """Or calls a helper whose name says that it asserts: ``assert_...`` or ``expect_...``."""
    without = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
                continue
            if not any(asserts(each) for each in ast.walk(node)):
                without.append(f"{path.name}:{node.lineno} {node.name}")
    assert without == []


def asserts(node: ast.AST) -> bool:
    """Whether a node can make its test fail on purpose."""
    if isinstance(node, ast.Assert):
        return True
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name.startswith(("assert_", "expect_")) or name in ("raises", "fail")


def types_of_a_file(path: Path) -> set[str]:
    """Names of its public classes and of its aliases of types."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            names.add(target.id if isinstance(target, ast.Name) else "")
    return {name for name in names if re.fullmatch(r"[A-Z]\w*[a-z]\w*", name)}


def homes() -> dict[str, list[str]]:
    """Each type of ours, and where it is defined."""
    found: dict[str, list[str]] = {}
    for folder in ("stage2fuzz", "worker", "coordinator", "fuzz_targets"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for name in types_of_a_file(path):
                found.setdefault(name, []).append(str(path.relative_to(ROOT)))
    return found


def test_the_name_of_a_type_stands_for_one_thing() -> None:
    assert {name: where for name, where in homes().items() if len(where) > 1} == {}


NOUNS = {"Backing", "Finding", "Hearing", "Meeting", "Seed", "Wording"}
PARTICIPLES = re.compile(
    r"[A-Z][a-z]+(ed|ing)|Born|Broken|Built|Done|Drawn|Found|Frozen|Given|Gone|Held|Kept|Known|Left"
    r"|Lost|Made|Met|Proven|Said|Seen|Sent|Shown|Taken|Told|Written"
)


def test_a_type_is_a_noun_and_no_participle() -> None:
    """``Held``, ``Minimised``, ``Running``: a reader cannot tell them from what functions do."""
    assert sorted(n for n in homes() if PARTICIPLES.fullmatch(n) and n not in NOUNS) == []


def test_the_tests_of_names_see_both_kinds(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("class Held: ...\nRow = tuple[int, int]\nLIMIT = 3\n")
    assert types_of_a_file(tmp_path / "a.py") == {"Held", "Row"}
    assert PARTICIPLES.fullmatch("Held")
    assert PARTICIPLES.fullmatch("Minimised")
    assert not PARTICIPLES.fullmatch("HeldLease")
