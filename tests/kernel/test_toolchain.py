"""How compilers are run: whatever time they take, they are given their input once."""

import sys

import pytest

from stage2fuzz.kernel import toolchain
from stage2fuzz.process import life

SLOW = "import sys, time; time.sleep(0.5); print(sys.stdin.read()); sys.exit(3)"
LONG = "long f(void);\n" * 20_000
"""More than a pipe takes at once."""


def test_a_slow_compiler_gets_its_input_once_and_is_a_sign_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signs: list[int] = []
    monkeypatch.setattr(life, "_listener", [lambda: signs.append(1)])
    monkeypatch.setattr(toolchain, "SIGN_SECONDS", 0.1)
    done = toolchain.run_command([sys.executable, "-c", SLOW], LONG)
    assert (done.returncode, done.stdout) == (3, f"{LONG}\n")
    assert len(signs) >= 3
