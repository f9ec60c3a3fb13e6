"""The page as it is served, in a real browser, and what ``serve`` refuses."""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from stage2fuzz.findings.store import Store
from tests.cli.terminal import command

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def address(store: Store, tmp_path: Path) -> Iterator[str]:
    """A server on the findings of ``store``."""
    asked = ("serve", "--port", "0", "--database", str(tmp_path / "findings.db"))
    program = [sys.executable, "-m", "stage2fuzz", *asked]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.match(r"http://127\.0\.0\.1:\d+", line)
            assert found is not None, line
            yield found[0]
        finally:
            process.terminate()
            process.wait(20)


def test_serve_answers_at_the_address_that_it_prints(address: str) -> None:
    with urllib.request.urlopen(f"{address}/findings/1", timeout=60) as answer:
        assert b"a fault never downgrades" in answer.read()


@pytest.mark.slow
def test_a_browser_runs_the_script_under_the_policy_and_steps(address: str, tmp_path: Path) -> None:
    browser = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if browser is None:
        pytest.skip("needs a browser: apt-get install chromium")
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/b")
    done = subprocess.run(
        [browser, *options, "--dump-dom", f"{address}/findings/1#step-54"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert 'data-ready="yes"' in done.stdout
    assert re.search(r'<tr id="step-54"[^>]*aria-current="step"', done.stdout)
    assert "mmu_lock: vCPU 1" in done.stdout
    assert "<h3>After step 54" in done.stdout
    assert "Content Security Policy" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--host", "0.0.0.0"), "0.0.0.0 can be reached by others"),
        (("--host", "0.0.0.0", "--token", "short"), "a token of 16 characters"),
        (("--port", "70000"), "--port: 70000 is out of range"),
        (("--database", "none/x.db"), "there is no directory none"),
    ],
)
def test_what_can_not_be_served_is_one_line(arguments: tuple[str, ...], words: str) -> None:
    assert words in command("serve", *arguments).refused()
