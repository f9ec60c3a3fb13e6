"""A campaign whose worker has a real kernel: STAGE2FUZZ_REAL_IMAGE names an arm64 image.

Findings of the tree STAGE2FUZZ_KERNEL_TREE are forced on it, and its answer is kept with them.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

IMAGE = os.environ.get("STAGE2FUZZ_REAL_IMAGE", "")
TREE = os.environ.get("STAGE2FUZZ_KERNEL_TREE", "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.kernel,
    pytest.mark.skipif(
        not (IMAGE and TREE and shutil.which("qemu-system-aarch64")),
        reason="needs QEMU, STAGE2FUZZ_REAL_IMAGE and STAGE2FUZZ_KERNEL_TREE",
    ),
]


def stage2fuzz(database: Path, *words: str) -> str:
    command = [sys.executable, "-m", "stage2fuzz", *words, "--database", str(database)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def test_a_finding_of_a_local_campaign_is_tried_on_the_workers_kernel(tmp_path: Path) -> None:
    database = tmp_path / "night.db"
    start = ("campaign", "start", "night", "--local", "--workers", "1", "--real", "1")
    which = ("--engine", f"kernel:{TREE}", "--target", "dirty_logging")
    stage2fuzz(database, *start, *which, "--schedules", "500", "--order-seconds", "5")
    listed = json.loads(stage2fuzz(database, "findings", "list", "--json"))
    tried = [each for each in listed if each["real"]]
    assert tried, [each["signature"] for each in listed]
    (answer, *_more) = tried[0]["real"]
    assert answer["answer"] in ("confirmed", "refuted", "not reached")
    number = str(tried[0]["id"])
    words = f"{answer['answer']} on Linux {answer['kernel']}"
    assert words in stage2fuzz(database, "findings", "show", number)
    report = stage2fuzz(database, "report", number, "--format", "mail")
    assert answer["kernel"] in report
