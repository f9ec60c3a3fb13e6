"""The gate's own promises: in CI nothing is skipped that could have been run; tests can fail."""

import ast
import os
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


LEFT = {"Entry", "Fault", "Figures", "Finding", "Job", "Kept", "Record", "Shown", "Totals", "View"}
"""Names that two classes still have; this list may only become shorter."""


def test_a_class_name_stands_for_one_thing() -> None:
    homes: dict[str, list[str]] = {}
    for folder in ("stage2fuzz", "worker", "coordinator", "fuzz_targets"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    homes.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    twice = {name: where for name, where in homes.items() if len(where) > 1}
    assert twice.keys() <= LEFT, twice
