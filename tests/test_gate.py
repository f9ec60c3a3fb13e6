"""The gate's own promises: in CI nothing is skipped that could have been run."""

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
    ("ci", "said"), [("1", "2 failed, 1 skipped"), ("0", "3 skipped"), ("", "3 skipped")]
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
