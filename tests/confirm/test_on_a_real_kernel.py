"""The whole path, on a real kernel under QEMU: STAGE2FUZZ_REAL_IMAGE names an arm64 image.

The case's switches are taken from the tree of STAGE2FUZZ_KERNEL_TREE, 6.6 or later.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stage2fuzz.confirm.machine import VirtualMachine
from stage2fuzz.confirm.reproducers import DIRTY_RING

IMAGE = os.environ.get("STAGE2FUZZ_REAL_IMAGE", "")
TREE = os.environ.get("STAGE2FUZZ_KERNEL_TREE", "")
LOST = """stage2fuzz case 1
engine kernel:{tree}
slot 0: pages 512, backing pmd
vcpu 0: write 0
vcpu 1: read 1, write 1
host 0: log-enable 0
schedule 0*2 2*3 1*40 0*27 2*12 1*19
end
"""
TAGS = """stage2fuzz case 1
engine kernel:{tree}
slot 0: pages 512, backing pmd, logging
vcpu 0: read 0
vcpu 1: write 0
host 0: log-disable 0
option mte
schedule 0*99 2*99 1*99
end
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.kernel,
    pytest.mark.skipif(
        not (IMAGE and TREE and shutil.which("qemu-system-aarch64")),
        reason="needs QEMU, STAGE2FUZZ_REAL_IMAGE and STAGE2FUZZ_KERNEL_TREE",
    ),
]


def confirm(case: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    case.write_text(LOST.format(tree=TREE))
    return subprocess.run(
        [sys.executable, "-m", "stage2fuzz", "confirm", case, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_the_reproducer_that_confirm_writes_loses_pages_by_itself(tmp_path: Path) -> None:
    program = tmp_path / "lost.c"
    done = confirm(tmp_path / "lost.case", "--reproducer", program)
    assert done.returncode == 0, done.stderr
    assert "gcc -O2 -Wall -pthread -o reproducer lost.c" in done.stderr
    with VirtualMachine(Path(IMAGE), 4, programs={"reproducer": program}) as machine:
        told = machine.order("run /reproducer", patience=300)
    assert "exit 1" in told
    assert any("are in no dirty log" in line for line in told)


def test_a_ring_without_a_bitmap_loses_pages_where_a_kernel_has_rings() -> None:
    with VirtualMachine(Path(IMAGE), 2, programs={"reproducer": DIRTY_RING.path}) as machine:
        told = machine.order("run /reproducer", patience=300)
    first, *tried = (line for line in told if line.startswith("said "))
    if "RING_ACQ_REL 0," in first:  # before v6.2
        assert told[-1] == "exit 3"
        return
    assert told[-1] == "exit 1"
    assert all("lost: 0 of" in line for line in tried if "said ring alone" not in line)


def test_a_guest_reads_memory_tags_of_others_where_a_kernel_gives_it_tags(tmp_path: Path) -> None:
    case = tmp_path / "tags.case"
    case.write_text(TAGS.format(tree=TREE))
    command = [sys.executable, "-m", "stage2fuzz", "confirm", str(case), "--kernel", IMAGE]
    done = subprocess.run(
        [*command, "--json"], capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode == 2:  # a tree or an image of before v5.14
        assert "memory tags" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)["kernel"]["runs"]
    _release, control, *rows = run["said"]
    assert ": seen in 0 " not in control
    assert ", in 0 of the next" in control
    told = [line for line in rows if "saw old tags in " in line]  # a VM may be refused some memory
    shown = [line for line in told if "saw old tags in 0 of" not in line]
    assert all("log switched off" in line or "log on, hugetlb" in line for line in shown)
    assert any("log switched off, transparent huge page" in line for line in shown)


def test_the_lost_dirty_page_is_confirmed_and_nothing_is_left_running(tmp_path: Path) -> None:
    done = confirm(tmp_path / "lost.case", "--kernel", IMAGE, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["answer"] == "confirmed"
    assert told["kernel"]["serial"]["answer"] == "refuted"
    assert "no dirty log" in told["kernel"]["runs"][0]["shown"]["D1"]
    commands = [
        path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.is_file()
    ]
    assert not any(IMAGE.encode() in each and b"qemu" in each for each in commands)
