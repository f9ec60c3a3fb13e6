"""Long commands say how far they are: with an estimate, and never on standard output."""

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stage2fuzz.cli import progress
from tests.cli.terminal import RACE, command


def test_a_long_command_says_how_much_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    clock = iter((0.0, 0.5, 30.0))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with progress.ProgressLine() as shown:
        shown.update("begun")
        shown.update("a quarter", 0.25)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "begun\na quarter, about 90 s left\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("series", "--schedules", "1", "--compare", "1"),
        ("explore", "race.case", "--executions", "200"),
        ("compare", "--engine", "model:v5.10", "--engine", "model:v5.12", "--seconds", "1"),
    ],
    ids=lambda value: value[0],
)
def test_progress_leaves_standard_output_to_the_result(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    said = command(*arguments)
    assert said.err
    assert said.err.splitlines()[-1] not in said.out


def test_no_color_means_no_style_at_all_on_a_terminal(folder: Path) -> None:
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "stage2fuzz", "explore", RACE, "--executions", "300"],
            env={**os.environ, "NO_COLOR": "1", "TERM": "xterm-256color"},
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            check=False,
        )
        os.close(slave)
        shown = os.read(master, 1 << 16)
    finally:
        os.close(master)
    assert done.returncode == 1
    assert b"executions" in shown
    for style in (b"\x1b[1m", b"\x1b[3", b"\x1b[9"):
        assert style not in shown
