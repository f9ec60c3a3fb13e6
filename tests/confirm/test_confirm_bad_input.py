"""``stage2fuzz confirm`` with bad input: one line, exit code 2, and nothing left running.

An image without an anchor that the schedule needs is ``test_machine``'s.
"""

import contextlib
import io
import os
import sys
from pathlib import Path

import pytest

from stage2fuzz.cli import main
from tests.confirm.stand_in import BOOT, IMAGE, SERVE, gone, pretend

TREE = os.environ.get("STAGE2FUZZ_KERNEL_TREE", "")
EMPTY_CACHE = """stage2fuzz case 1
engine {engine}
slot 0: pages 512, backing pmd, logging
vcpu 0: read 0
vcpu 1: execute 0
host 0: log-disable 0, move 0
schedule 0*36 2*3 1*5 2*1
end
"""
"""Every tree from 5.10 to 7.3 shows E5 in it."""
NO_KVM = 'say("S2 boot 6.12.1"); say("S2 no-kvm"); say("S2 ok boot"); time.sleep(600)'
needs_a_tree = pytest.mark.skipif(not TREE, reason="needs STAGE2FUZZ_KERNEL_TREE")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "Image"
    path.write_bytes(IMAGE)
    return path


def refused(tmp_path: Path, *words: str, engine: str = f"kernel:{TREE}") -> str:
    """What ``confirm`` says of the case; it must be one line, and the exit code 2."""
    case = tmp_path / "asked.case"
    case.write_text(EMPTY_CACHE.format(engine=engine))
    said, complained = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(complained),
        pytest.raises(SystemExit) as ended,
    ):
        patch.setattr(sys, "argv", ["stage2fuzz", "confirm", str(case), *words])
        main()
    assert ended.value.code == 2, complained.getvalue()
    assert said.getvalue() == ""
    assert complained.getvalue().count("\n") == 1
    return complained.getvalue()


def test_a_case_of_a_model(tmp_path: Path, image: Path) -> None:
    line = refused(tmp_path, "--kernel", str(image), engine="model:v6.12")
    assert "--engine kernel:TREE" in line


@needs_a_tree
def test_no_qemu(tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE2FUZZ_QEMU", "no-such-qemu")
    assert "install qemu-system-arm" in refused(tmp_path, "--kernel", str(image))


@needs_a_tree
def test_no_qemu_is_told_before_a_kernel_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGE2FUZZ_QEMU", "no-such-qemu")
    monkeypatch.setattr("stage2fuzz.cli.confirm.build_kernel", lambda *_args, **_options: 1 / 0)
    assert "install qemu-system-arm" in refused(tmp_path, "--tree", str(tmp_path))


@needs_a_tree
def test_no_cross_compiler(tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE2FUZZ_QEMU", sys.executable)
    monkeypatch.setenv("STAGE2FUZZ_CROSS_COMPILER", "no-such-compiler")
    assert "install gcc-aarch64-linux-gnu" in refused(tmp_path, "--kernel", str(image))


@needs_a_tree
def test_an_image_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE2FUZZ_QEMU", sys.executable)
    wrong = tmp_path / "vmlinux"
    wrong.write_bytes(b"\x7fELF" + b"\0" * 100)
    assert "no arm64 kernel image" in refused(tmp_path, "--kernel", str(wrong))
    assert "No such file" in refused(tmp_path, "--kernel", str(tmp_path / "none"))


@needs_a_tree
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('say("Kernel panic - not syncing: no init found")', "does not boot: the machine ended"),
        (NO_KVM, "has no KVM; a kernel built with CONFIG_KVM"),
        (BOOT + SERVE.format(names=()), "lacks the symbols that a thread is held by"),
        (
            BOOT + "console.readline()",
            "the machine ended (QEMU said nothing, and its exit status is 0); the same",
        ),
    ],
    ids=("panics", "has no KVM", "has no symbols", "dies"),
)
def test_a_kernel_that(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    pid = pretend(tmp_path, monkeypatch, body)
    symbols = tmp_path / "cache" / "stage2fuzz" / "confirm"
    monkeypatch.setattr("stage2fuzz.confirm.symbols.default_cache", lambda: symbols)
    assert words in refused(tmp_path, "--kernel", str(image))
    assert gone(pid)


@needs_a_tree
def test_a_control_that_is_no_image_is_told_before_anything_boots(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = pretend(tmp_path, monkeypatch, BOOT)
    nothing = tmp_path / "nothing"
    line = refused(tmp_path, "--kernel", str(image), "--fixed", str(nothing))
    assert str(nothing) in line
    assert not pid.exists()
