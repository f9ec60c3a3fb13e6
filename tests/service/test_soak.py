"""The soak notices what it is there to notice, and nothing else."""

import subprocess
import sys

import pytest

from tests.service.rig import ROOT

FREEZE = "worker frozen past its deadline, replaced, back"
PLANTED = {
    "": ("4", "messages doubled"),
    "counted-twice": ("2", "messages doubled"),
    "dropped": ("40", "messages doubled"),
    "merged-again": ("2", "messages doubled"),
    "no-fencing": ("5", FREEZE),
}
"""Planted fault -> how many faults of which kind are needed for it to show."""


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTED)
def test_the_soak_notices_each_planted_fault_and_no_other(plant: str) -> None:
    number, only = PLANTED[plant]
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "tests" / "service" / "soak.py"), "--plant", plant),
            *("--faults", number, "--only", only, "--seed", "1"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == (1 if plant else 0), done.stdout + done.stderr
