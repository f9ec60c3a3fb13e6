"""QEMU as a program of a few lines: what a machine says, without one."""

import os
import stat
import sys
import time
from pathlib import Path

import pytest

STAND_IN = """#!{python}
import os, re, sys, time
chardev = next(each for each in sys.argv if each.startswith("socket,id=console"))
console = os.fdopen(int(re.search("fd=([0-9]+)", chardev)[1]), "r+b", buffering=0)
open({pid!r}, "w").write(str(os.getpid()))
def say(text):
    console.write(text.encode() + b"\\n")
{body}
"""
BOOT = 'say("S2 boot 6.12.1"); say("S2 ok boot")\n'
SERVE = """
for line in console:
    word, *rest = line.decode().split()
    for name in rest if word == "symbol" else ():
        if name in {names!r}:
            say("S2 symbol " + name + " ffff800080000000")
    say("S2 ok " + word)
"""
IMAGE = b"\0" * 56 + b"ARMd" + b"\0" * 4


def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Path:
    """Let QEMU be a program with this body; the file that will hold its process number."""
    program, pid = tmp_path / "qemu", tmp_path / "pid"
    program.write_text(STAND_IN.format(python=sys.executable, pid=str(pid), body=body))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("STAGE2FUZZ_QEMU", str(program))
    return pid


def gone(pid: Path) -> bool:
    """Whether the stand-in ended, within a moment."""
    for _ in range(50):
        try:
            os.kill(int(pid.read_text()), 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
