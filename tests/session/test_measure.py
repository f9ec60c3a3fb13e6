"""What a fork measures is what a clean process would, and its answers are believed no further."""

import os
import sys
from pathlib import Path

import pytest

from stage2fuzz.fuzz.harness import features
from stage2fuzz.process.forked import ForkServer
from stage2fuzz.session.measure import measured_by_fork, read_answers

ENGINE, TARGET = "model:v5.12", "map_race"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere programs are started")
def test_a_fork_answers_as_far_as_it_lives_and_leaves_nothing_behind(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one", "gone", "two")]
    files[0].write_bytes(bytes(range(90)))
    files[2].write_bytes(b"")
    server = ForkServer(())
    try:
        assert list(measured_by_fork(server, tmp_path, ENGINE, TARGET, files, 60)) == files[:1]
        files[1].write_bytes(bytes(range(90, 180)))
        found = measured_by_fork(server, tmp_path, ENGINE, TARGET, files, 60)
    finally:
        server.close()
    assert found == {path: features(path.read_bytes(), ENGINE, TARGET) for path in files}
    assert sorted(tmp_path.iterdir()) == sorted(files)


@pytest.mark.parametrize("engine", ["model:v5.10", "model:v5.12"])
def test_whether_it_is_judged_changes_no_feature(engine: str) -> None:
    for data in (b"", bytes(range(120)), bytes(range(200, 20, -1))):
        assert features(data, engine, TARGET) == features(data, engine, TARGET, judging=True)


@pytest.mark.parametrize(
    "bad", [b'{"features": [1', b"[]\n", b"{}\n", b'{"features": [-1]}\n', b'{"features": "1"}\n']
)
def test_answers_count_up_to_the_first_that_can_not_be_one(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "answers"
    path.write_bytes(b'{"features": [3, 1]}\n' + bad + b'{"features": [2]}\n')
    assert read_answers(path) == [frozenset({1, 3})]
    path.unlink()
    os.mkfifo(path)
    assert read_answers(path) == []
