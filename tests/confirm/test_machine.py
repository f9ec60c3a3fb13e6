"""A machine that fails ends in one line and is gone, whatever it was doing; QEMU is a stand-in."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from stage2fuzz.case.scenario import HostOp, Op
from stage2fuzz.case.text import read_case
from stage2fuzz.confirm import machine as machines
from stage2fuzz.confirm.initrd import COMPILERS
from stage2fuzz.confirm.machine import VirtualMachine
from stage2fuzz.confirm.session import confirm
from stage2fuzz.confirm.subject import Subject
from stage2fuzz.errors import InputError
from stage2fuzz.process.confined import ConfinedProcess
from stage2fuzz.process.limits import Limits
from stage2fuzz.run import run
from tests.confirm.stand_in import BOOT, IMAGE, SERVE, gone, pretend

LOST = (
    Path(__file__).resolve().parent.parent
    / "cases"
    / "bad_v7_3_relax_of_a_block_loses_dirty_pages.case"
)

pytestmark = pytest.mark.skipif(
    not any(shutil.which(each) for each in COMPILERS), reason="needs gcc-aarch64-linux-gnu"
)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "Image"
    path.write_bytes(IMAGE)
    return path


def subject() -> Subject:
    outcome = run(read_case(LOST))
    return Subject(outcome.case, tuple(outcome.events), (0, 1), ("D1",), {}, ())


def test_a_kernel_that_ends_while_it_boots_is_told_with_its_last_words(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = pretend(tmp_path, monkeypatch, 'say("Kernel panic - not syncing: no init found")')
    with pytest.raises(InputError, match=r"does not boot: the machine ended \(.*no init found"):
        VirtualMachine(image, 2)
    assert gone(pid)


def test_a_kernel_that_hangs_while_it_boots_is_ended(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machines, "BOOT", 1.0)
    pid = pretend(tmp_path, monkeypatch, "time.sleep(600)")
    with pytest.raises(InputError, match="does not boot: no answer in time"):
        VirtualMachine(image, 2)
    assert gone(pid)


def test_a_kernel_without_kvm_is_refused(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = 'say("S2 boot 6.12.1"); say("S2 no-kvm"); say("S2 ok boot"); time.sleep(600)'
    pid = pretend(tmp_path, monkeypatch, body)
    with pytest.raises(InputError, match="has no KVM; a kernel built with CONFIG_KVM"):
        VirtualMachine(image, 2)
    assert gone(pid)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "lacks the symbols that a thread is held by; a kernel with CONFIG_KALLSYMS"),
        (
            ("__arm64_sys_sched_rr_get_interval", "kvm_handle_guest_abort", "__kvm_faultin_pfn"),
            "lacks what the schedule is held at: published",
        ),
    ],
)
def test_an_image_without_the_anchors_is_refused_and_ended(
    tmp_path: Path,
    image: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pid = pretend(tmp_path, monkeypatch, BOOT + SERVE.format(names=names))
    with pytest.raises(InputError, match=words):
        confirm(image, subject(), 1)
    assert gone(pid)


def test_a_kernel_that_cannot_age_a_page_is_told_what_it_lacks(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = 'say("S2 boot 6.12.1"); say("S2 no-age"); say("S2 ok boot")\n' + SERVE.format(names=())
    pid = pretend(tmp_path, monkeypatch, body)
    asked = subject()
    scenario = replace(asked.case.scenario, hosts=((HostOp(Op.AGE),),))
    asked = replace(asked, case=replace(asked.case, scenario=scenario))
    with pytest.raises(InputError, match="no page_idle; a kernel with CONFIG_IDLE_PAGE_TRACKING"):
        confirm(image, asked, 1)
    assert gone(pid)


def test_a_machine_that_dies_in_the_middle_is_one_line(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pid = pretend(tmp_path, monkeypatch, BOOT + "console.readline()")
    with pytest.raises(
        InputError, match=r"the machine ended \(QEMU said nothing, .* 0\); the same"
    ):
        confirm(image, subject(), 1)
    assert gone(pid)


def test_a_machine_can_be_started_and_ended_by_a_process_that_is_confined(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    until_asked = (
        'stub = int(re.search("id=stub,fd=([0-9]+)", " ".join(sys.argv))[1])\n'
        'while b"$k#6b" not in os.read(stub, 100): pass\n'
    )
    pid = pretend(tmp_path, monkeypatch, BOOT + until_asked)
    script = (
        "from pathlib import Path\n"
        "from stage2fuzz.confirm.machine import VirtualMachine\n"
        f"machine = VirtualMachine(Path({str(image)!r}), 2)\n"
        "machine.close()\n"
        "print(machine.release)\n"
    )
    more = {"STAGE2FUZZ_QEMU": str(tmp_path / "qemu")}
    with (tmp_path / "said").open("wb") as said:
        confined = ConfinedProcess(
            [sys.executable, "-c", script],
            tmp_path,
            Limits(memory=0, file=0),
            more,
            stdout=said,
        )
        try:
            confined.process.wait(60)
        finally:
            confined.close()
    assert (tmp_path / "said").read_text() == "6.12.1\n"
    assert gone(pid)
