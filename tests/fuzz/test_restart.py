"""What is left to do for the process that goes on after a crash."""

import json
from pathlib import Path

import pytest

from stage2fuzz.fuzz.harness import Harness
from stage2fuzz.fuzz_targets.restart import CONTINUED, Restart


class ExecutedError(Exception):
    """Instead of a new process: its arguments."""


@pytest.fixture
def restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    def execute(_program: str, arguments: list[str]) -> None:
        raise ExecutedError(arguments[2:])

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr("os.execv", execute)
    monkeypatch.setattr("os._exit", leave)


def go_on(harness: Harness, arguments: list[str], data: bytes) -> list[str]:
    with pytest.raises(ExecutedError) as caught:
        Restart(harness, arguments, CONTINUED in arguments).go_on(data)
    left: list[str] = caught.value.args[0]
    return left


@pytest.mark.usefixtures("restarted")
def test_it_has_what_is_left_of_time_and_inputs_and_another_seed(tmp_path: Path) -> None:
    harness = Harness("model:v5.12", "map_race", tmp_path)
    harness.inputs = 30
    arguments = ["-max_total_time=10", "-runs=100", "-seed=7", "-timeout=5", "corpus"]
    left = go_on(harness, arguments, b"deadly")
    assert left == [CONTINUED, "-max_total_time=10", "-runs=70", "-seed=8", *arguments[3:]]
    assert go_on(harness, left, b"another") == [*left[:2], "-runs=40", "-seed=9", *arguments[3:]]


@pytest.mark.usefixtures("restarted")
def test_nothing_left_is_a_clean_end(tmp_path: Path) -> None:
    harness = Harness("model:v5.12", "map_race", tmp_path)
    harness.inputs = 100
    with pytest.raises(SystemExit, match="0"):
        Restart(harness, ["-runs=100"], continued=False).go_on(b"deadly")
    without = Harness("model:v5.12", "map_race")
    with pytest.raises(SystemExit, match="0"):
        Restart(without, ["-runs=100"], continued=False).go_on(b"deadly")


@pytest.mark.usefixtures("restarted")
def test_the_next_process_knows_what_the_last_one_knew(tmp_path: Path) -> None:
    first = Harness("model:v5.10", "map_race", tmp_path)
    for seed in range(40):
        first.one_input(bytes([seed]) * 120)
    assert first.signatures
    go_on(first, [], b"deadly")
    second = Harness("model:v5.10", "map_race", tmp_path)
    Restart(second, [CONTINUED], continued=True)
    assert second.signatures == first.signatures
    assert second.schedules == first.schedules
    assert second.one_input(b"deadly")[0].case == second.one_input(b"")[0].case
    second.write_stats()
    assert json.loads((tmp_path / "stats.json").read_text())["schedules"] == first.schedules + 4
    with pytest.raises(SystemExit, match="0"):
        second.after_crash(b"deadly")


def test_another_run_in_the_same_outbox_starts_afresh(tmp_path: Path) -> None:
    (tmp_path / "crashed").write_text("0" * 64)
    harness = Harness("model:v5.12", "map_race", tmp_path)
    Restart(harness, [], continued=False)
    assert harness.shunned == set()
    assert not (tmp_path / "crashed").exists()
