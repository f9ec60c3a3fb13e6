"""Same build, same case, same log: in any process, from any cache, wherever memory lies."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from stage2fuzz.case.codec import CHOICES_AT, decode, newest
from stage2fuzz.case.profile import PROFILES, profile_named
from stage2fuzz.case.scenario import Op
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.mutants import copy_tree

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parents[2]
SCENARIOS = 40
"""Random scenarios of each profile."""
PROGRAM = f"""
import sys
from pathlib import Path
from random import Random
from stage2fuzz.case.codec import CHOICES_AT, decode, newest
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import build
from stage2fuzz.case.profile import PROFILES, profile_named
from stage2fuzz.report import event_log
from stage2fuzz.schedule import strategy

engine = KernelEngine(build(*map(Path, sys.argv[1:])))
print(engine.build)
for name in PROFILES:
    for seed in range({SCENARIOS}):
        draw = Random(f"{{name}} {{seed}}")
        scenario = decode(newest(draw.randbytes(CHOICES_AT)), "", profile_named(name)).scenario
        made = engine.run(scenario, strategy(draw.choice(("breaker", "random", "pct")), seed))
        print(name, seed, made.schedule, event_log(made.events))
        engine.native.run_seed(seed)
        print(engine.native.schedule(), event_log(engine.native.events()))
"""


def told(*command: str, **environment: str) -> str:
    """What the program prints: the build's key, and schedules and logs of many runs."""
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=kept | environment
    )
    return done.stdout


@pytest.fixture(scope="module")
def here(kernel: KernelEngine, cache: Path) -> str:
    """The logs of a first process."""
    arguments = ("-c", PROGRAM, str(kernel.library.tree), str(cache))
    return told(sys.executable, *arguments, PYTHONHASHSEED="1")


def test_the_scenarios_have_host_operations_of_every_kind() -> None:
    seen = set()
    for name in PROFILES:
        for seed in range(SCENARIOS):
            draw = Random(f"{name} {seed}")
            scenario = decode(newest(draw.randbytes(CHOICES_AT)), "", profile_named(name)).scenario
            seen |= {each.op for host in scenario.hosts for each in host}
    assert seen == set(Op)


def test_another_process_tells_the_same(kernel: KernelEngine, cache: Path, here: str) -> None:
    arguments = ("-c", PROGRAM, str(kernel.library.tree), str(cache))
    assert told(sys.executable, *arguments, PYTHONHASHSEED="2", PYTHONMALLOC="malloc") == here


def test_a_copy_of_the_tree_built_into_another_cache_tells_the_same(
    kernel: KernelEngine, tmp_path: Path, here: str
) -> None:
    copy_tree(kernel.library.tree, tmp_path / "elsewhere")
    arguments = ("-c", PROGRAM, str(tmp_path / "elsewhere"), str(tmp_path / "cache"))
    assert told(sys.executable, *arguments) == here


def test_memory_that_always_lies_at_the_same_place_tells_the_same(
    kernel: KernelEngine, cache: Path, here: str
) -> None:
    setarch = shutil.which("setarch")
    if setarch is None or subprocess.run([setarch, "-R", "true"], check=False).returncode:
        pytest.skip("setarch -R is not to be had here")
    arguments = ("-c", PROGRAM, str(kernel.library.tree), str(cache))
    assert told(setarch, "-R", sys.executable, *arguments) == here
