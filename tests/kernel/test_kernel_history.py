"""History: what the series is about shows in a tree from before it, and in none from after it.

Through the session and the targets that a user runs, and through our own loop, which counts.
"""

import json
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from stage2fuzz.case.text import parse
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.run import run
from stage2fuzz.session.reproduce import minimise_finding
from tests.quality.until_found import FAULTS, Until, until_found

pytestmark = pytest.mark.kernel
SWITCHES = 5
FROM = pytest.mark.parametrize("options", [(), ("--no-seeds",)], ids=["our-seeds", "no-seeds"])
FAULT = pytest.mark.parametrize(("fault", "seconds"), list(zip(FAULTS, (10, 20), strict=True)))
"""Seconds of one session on one core, ten times what it mostly takes."""


def is_before(kernel: KernelEngine) -> bool:
    """Whether the tree is from before the series."""
    return "S2_HAS_PERMISSION_ONLY_RULE" not in kernel.library.has


@pytest.fixture
def before(kernel: KernelEngine) -> str:
    """The engine's name of a tree from before the series."""
    if not is_before(kernel):
        pytest.skip("the tree has the series: a map leaves leaves alone that differ in permissions")
    return f"kernel:{kernel.library.tree}"


@pytest.fixture
def after(kernel: KernelEngine) -> str:
    """The engine's name of a tree from after it."""
    if is_before(kernel):
        pytest.skip("the tree is from before the series")
    return f"kernel:{kernel.library.tree}"


def alone(*asked: Any) -> Until:
    """``until_found`` in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(until_found, *asked).result()


def session(engine: str, fault: str, seconds: int, options: tuple[str, ...], place: Path) -> Any:
    """What ``stage2fuzz fuzz`` finds of one fault."""
    target, wanted = FAULTS[fault]
    command = [sys.executable, "-m", "stage2fuzz", "fuzz", "--engine", engine, *options]
    command += ["--target", target, "--seconds", str(seconds), "--jobs", "1", "--json"]
    command += ["--database", f"sqlite:///{place}/findings.db"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    told = json.loads(done.stdout)
    assert told["schedules"] > 1000
    return [each for each in told["findings"] if wanted(each["signature"])]


@pytest.mark.parametrize("seeds", [True, False])
@pytest.mark.parametrize("fault", list(FAULTS))
def test_the_lost_permission_and_loop_b_show_within_seconds(
    before: str, fault: str, seeds: bool
) -> None:
    found = alone(before, fault, 1, seeds, 20)
    assert found.case is not None
    small = minimise_finding(found.case, found.signature)
    assert small.preemptions <= SWITCHES


@pytest.mark.slow
@FROM
@FAULT
def test_a_session_finds_and_minimises_each_fault(
    before: str, fault: str, seconds: int, options: tuple[str, ...], tmp_path: Path
) -> None:
    found = session(before, fault, seconds, options, tmp_path)
    assert found
    assert min(run(parse(each["minimised"], fault)).preemptions for each in found) <= SWITCHES


@pytest.mark.parametrize("fault", FAULTS)
def test_a_later_tree_shows_none_of_them(after: str, fault: str) -> None:
    assert alone(after, fault, 1, True, 3).case is None


@pytest.mark.slow
@FROM
@FAULT
def test_a_session_on_a_later_tree_finds_none_of_them(
    after: str, fault: str, seconds: int, options: tuple[str, ...], tmp_path: Path
) -> None:
    assert not session(after, fault, seconds, options, tmp_path)
