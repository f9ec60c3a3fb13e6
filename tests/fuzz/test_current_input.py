"""The input at which a process died can be read when it is gone."""

import os
import signal
from pathlib import Path

from stage2fuzz.fuzz.current_input import ROOM, CurrentInput, left_running
from stage2fuzz.fuzz.outbox import Outbox


def test_the_input_is_there_while_it_runs_and_gone_when_it_is_done(tmp_path: Path) -> None:
    assert left_running(tmp_path) is None
    running = CurrentInput(tmp_path)
    assert left_running(tmp_path) is None
    for data in (b"a longer one", b"", b"short", bytes(ROOM)):
        running.begin(data)
        assert left_running(tmp_path) == data
        running.end()
        assert left_running(tmp_path) is None


def test_it_outlives_the_process(tmp_path: Path) -> None:
    if not (child := os.fork()):
        CurrentInput(tmp_path).begin(b"deadly")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert left_running(tmp_path) == b"deadly"


def test_a_process_that_died_by_itself_died_of_what_it_ran(tmp_path: Path) -> None:
    CurrentInput(tmp_path).begin(b"deadly")
    outbox = Outbox(tmp_path, "model:v5.10")
    assert outbox.killers(tmp_path, -signal.SIGSEGV) == [("crash", b"deadly")]
    assert outbox.killers(tmp_path, -signal.SIGKILL) == []
    assert outbox.killers(tmp_path, 0) == [("crash", b"deadly")]
    (tmp_path / "timeout-1").write_bytes(b"slow")
    assert outbox.killers(tmp_path, 70) == [("timeout", b"slow")]
