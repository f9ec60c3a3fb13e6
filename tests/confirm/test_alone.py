"""A finding with a program of its own: what the program says on a machine is the answer.

QEMU is a stand-in; the programs themselves run in ``test_on_a_real_kernel``.
"""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case, read_case
from stage2fuzz.cli.confirm import confirm_case
from stage2fuzz.confirm.alone import try_alone
from stage2fuzz.confirm.initrd import COMPILERS
from stage2fuzz.confirm.reproducers import DIRTY_RING, MEMORY_TAGS, program_of
from stage2fuzz.confirm.session import Answer
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.proof import proved
from tests.confirm.stand_in import BOOT, IMAGE, gone, pretend

CASES = Path(__file__).resolve().parent.parent / "cases"
RINGS = CASES / "bad_dirty_ring_without_bitmap.case"
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
TREE = os.environ.get("STAGE2FUZZ_KERNEL_TREE", "")
RUN = """
open({arguments!r}, "w").write(" ".join(sys.argv))
for line in console:
    for told in {told!r}:
        say("S2 " + told)
    say("S2 ok run")
"""

pytestmark = pytest.mark.skipif(
    not any(shutil.which(each) for each in COMPILERS), reason="needs gcc-aarch64-linux-gnu"
)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "Image"
    path.write_bytes(IMAGE)
    return path


def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *told: str) -> Path:
    """Let a program on the machine say this and end; the file of the machine's process number."""
    body = RUN.format(arguments=str(tmp_path / "arguments"), told=told)
    return pretend(tmp_path, monkeypatch, BOOT + body)


@pytest.mark.parametrize(
    ("end", "answer", "code"),
    [
        ("exit 1", Answer.CONFIRMED, 0),
        ("exit 0", Answer.REFUTED, 1),
        ("exit 3", Answer.NOT_REACHED, 3),
        ("exit 2", Answer.NOT_REACHED, 3),
        ("exit -11", Answer.NOT_REACHED, 3),
    ],
)
def test_the_exit_code_of_the_program_is_the_answer(
    tmp_path: Path,
    image: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    end: str,
    answer: Answer,
    code: int,
) -> None:
    pid = says(tmp_path, monkeypatch, "said lost: 511 of 512", end)
    with pytest.raises(typer.Exit) as ended:
        confirm_case(str(RINGS), kernel=image, times=2, as_json=True)
    assert ended.value.exit_code == code
    told = json.loads(capsys.readouterr().out)
    assert told["answer"] == told["kernel"]["answer"] == str(answer)
    run = {"answer": str(answer), "said": ["lost: 511 of 512"]}
    assert told["kernel"]["runs"] == [run, run]
    assert gone(pid)


def test_the_answer_is_told_with_what_the_program_said(
    tmp_path: Path,
    image: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    says(tmp_path, monkeypatch, "said lost: 511 of 512", "exit 1")
    with pytest.raises(typer.Exit):
        confirm_case(str(RINGS), kernel=image, fixed=image)
    first, control, *rest = capsys.readouterr().out.splitlines()
    assert first == f"confirmed: {RINGS} on Linux 6.12.1, 1 run of dirty_ring.c: 1 confirmed"
    assert control == "  control   Linux 6.12.1: confirmed, 1 run of dirty_ring.c: 1 confirmed"
    assert rest == ["  run 1     dirty_ring.c says:", "    lost: 511 of 512"]


def test_a_kernel_without_what_the_program_needs_is_told_by_one_line(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = says(tmp_path, monkeypatch, "said 5.10.0: KVM_CAP_ARM_MTE 0", "exit 3")
    with pytest.raises(
        InputError, match=r"Image: gives a guest no memory tags; a kernel from 5\.14"
    ):
        try_alone(image, MEMORY_TAGS, 1)
    assert gone(pid)
    says(tmp_path, monkeypatch, "said 6.1.0: KVM_CAP_DIRTY_LOG_RING_ACQ_REL 0, B 0", "exit 3")
    with pytest.raises(InputError, match=r"has no dirty rings; a kernel from 6\.2 on"):
        try_alone(image, DIRTY_RING, 1)


def test_a_machine_has_memory_tags_where_the_program_needs_them(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(tmp_path, monkeypatch, "exit 1")
    assert try_alone(image, MEMORY_TAGS, 1).answer is Answer.CONFIRMED
    assert ",mte=on" in (tmp_path / "arguments").read_text()
    try_alone(image, DIRTY_RING, 1)
    assert "mte" not in (tmp_path / "arguments").read_text()


def test_a_qemu_without_memory_tags_is_told_by_one_line(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaint = "qemu: Property 'virt-5.0-machine.mte' not found"
    pretend(tmp_path, monkeypatch, f"sys.exit({complaint!r})")
    with pytest.raises(InputError, match=r"gives no machine memory tags; version 5\.1 or later"):
        try_alone(image, MEMORY_TAGS, 1)


@pytest.mark.skipif(not TREE, reason="needs a Linux tree: set STAGE2FUZZ_KERNEL_TREE to its path")
def test_a_case_of_old_memory_tags_has_its_program(tmp_path: Path) -> None:
    if "S2_HAS_MTE" not in proved(Path(TREE)).has:
        pytest.skip("the tree knows no memory tags")
    path, program = tmp_path / "tags.case", tmp_path / "tags.c"
    path.write_text(TAGS.format(tree=TREE))
    confirm_case(str(path), reproducer=program)
    assert program.read_text() == MEMORY_TAGS.path.read_text()
    without = replace(read_case(path), schedule=Case().schedule)
    with pytest.raises(InputError, match="gives a guest no page with old memory tags"):
        program_of(without, "a.case")
    path.write_text(format_case(without))
    with pytest.raises(InputError, match="which shows C15, not C6"):
        confirm_case(str(path), oracle="C6", reproducer=program)
