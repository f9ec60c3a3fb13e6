"""The soak notices what it is there to notice, and nothing else."""

import subprocess
import sys

import pytest

from tests.service.rig import ROOT

FREEZE = "worker frozen past its deadline, replaced, back"
PLANTED = {
    "": ("40", "10", "messages doubled"),
    "counted-twice": ("4", "4", "messages doubled"),
    "dropped": ("4", "60", "messages doubled"),
    "merged-again": ("4", "4", "messages doubled"),
    "no-fencing": ("4", "0", FREEZE),
}
"""Planted fault -> how many faults, and how many orders, of which kind make it show."""
OF_PROCESSES = (
    "fuzzing process killed",
    "fuzzing process frozen",
    "one process of the pool killed",
    "fork server or zygote killed",
)
"""Faults that have to find the process that they hit."""


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTED)
def test_the_soak_notices_each_planted_fault_and_no_other(plant: str) -> None:
    number, orders, only = PLANTED[plant]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.service.soak", "--plant", plant),
            *("--faults", number, "--orders", orders, "--only", only, "--seed", "1"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == (1 if plant else 0), done.stdout + done.stderr


@pytest.mark.slow
def test_every_fault_of_a_process_finds_the_process() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.service.soak", "--faults", "60", "--seconds", "90"),
            *(f"--only={name}" for name in OF_PROCESSES),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    missed = [name for name in OF_PROCESSES if f" x {name}\n" not in done.stdout]
    assert not missed, done.stdout + done.stderr
