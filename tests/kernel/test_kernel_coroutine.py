"""The coroutine switch keeps what the calling convention keeps: here, and on the other machine."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from stage2fuzz.kernel import build

RUNTIME = Path(build.__file__).parent / "runtime"
CHECK = Path(__file__).parent / "coroutine_check.c"


def checked(folder: Path, compiler: str, *flags: str, emulator: tuple[str, ...] = ()) -> str:
    """What the check prints, compiled and run so."""
    program = folder / "check"
    command = [compiler, "-O2", "-g", "-Wall", "-fno-omit-frame-pointer", *flags]
    done = subprocess.run(
        [*command, "-iquote", str(RUNTIME), str(CHECK), "-o", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    run = [*emulator, str(program)]
    return subprocess.run(
        run, capture_output=True, text=True, check=False, timeout=60
    ).stdout.strip()


@pytest.fixture(params=["clang", "gcc"])
def compiler(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"needs {request.param}")
    return str(request.param)


def test_a_switch_keeps_registers_and_stays_inside_its_stacks(
    compiler: str, tmp_path: Path
) -> None:
    assert checked(tmp_path, compiler) == "kept"


def test_ucontext_serves_every_other_machine(compiler: str, tmp_path: Path) -> None:
    assert checked(tmp_path, compiler, "-DS2_UCONTEXT") == "kept"


@pytest.mark.skipif(platform.machine() == "aarch64", reason="this machine is one itself")
def test_aarch64_keeps_registers_under_an_emulator(tmp_path: Path) -> None:
    gcc, qemu = (shutil.which(name) for name in ("aarch64-linux-gnu-gcc", "qemu-aarch64"))
    if gcc is None or qemu is None:
        pytest.skip(
            "needs aarch64-linux-gnu-gcc and qemu-aarch64 (gcc-aarch64-linux-gnu, qemu-user)"
        )
    assert checked(tmp_path, gcc, "-static", emulator=(qemu,)) == "kept"
