"""The confined process: it ends in time, ends with us, and is told nothing it need not know."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stage2fuzz.process import wait
from stage2fuzz.process.end import End, How
from stage2fuzz.process.limits import Limits
from stage2fuzz.process.wait import run_confined
from stage2fuzz.service import settings

LIMITS = Limits()


def script(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "program.py"
    path.write_text(text)
    return (sys.executable, str(path))


def gone(number: int) -> bool:
    for _ in range(50):
        try:
            state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def test_an_end_is_told_apart_from_a_crash(tmp_path: Path) -> None:
    assert run_confined(script(tmp_path, ""), tmp_path, LIMITS, 20) == End(How.OK, 0)
    died = run_confined(script(tmp_path, "import os; os.abort()"), tmp_path, LIMITS, 20)
    assert died == End(How.CRASH, -signal.SIGABRT)


def test_a_process_that_hangs_is_killed_with_all_its_children(tmp_path: Path) -> None:
    text = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("child", "w").write(str(child.pid))
time.sleep(600)
"""
    ended = run_confined(script(tmp_path, text), tmp_path, LIMITS, 2.0)
    assert ended.how is How.TIMEOUT
    assert gone(int((tmp_path / "child").read_text()))


def test_a_process_that_writes_without_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait, "LOOK_SECONDS", 0.2)
    text = (
        "import time\nfor n in range(9999): open(f'f{n}', 'w').write('x' * 65536); time.sleep(.01)"
    )
    limits = Limits(folder=1 << 20)
    assert run_confined(script(tmp_path, text), tmp_path, limits, 20).how is How.OUTPUT


def test_one_file_has_a_limit_of_its_own(tmp_path: Path) -> None:
    program = script(tmp_path, "while True: print('x' * 1000, flush=True)")
    ended = run_confined(program, tmp_path, Limits(file=1 << 16), 20)
    assert ended.how is How.CRASH
    assert (tmp_path / "log").stat().st_size == 1 << 16


def test_a_process_that_eats_memory_can_not(tmp_path: Path) -> None:
    program = script(tmp_path, "x = bytearray(1 << 30)")
    assert run_confined(program, tmp_path, Limits(memory=256 << 20), 20) == End(How.CRASH, 1)
    assert b"MemoryError" in (tmp_path / "log").read_bytes()


def test_what_the_heartbeat_raises_ends_the_process(tmp_path: Path) -> None:
    def lost() -> None:
        raise KeyError

    text = "import os, time; open('me', 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(KeyError):
        run_confined(script(tmp_path, text), tmp_path, LIMITS, 20, lost)
    if (tmp_path / "me").exists():
        assert gone(int((tmp_path / "me").read_text()))


def test_a_killed_worker_takes_its_process_with_it(tmp_path: Path) -> None:
    program = script(
        tmp_path, "import os, time; open('me', 'w').write(str(os.getpid())); time.sleep(600)"
    )
    worker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from pathlib import Path\n"
            "from stage2fuzz.process.limits import Limits\n"
            "from stage2fuzz.process.wait import run_confined\n"
            f"run_confined({program!r}, Path({str(tmp_path)!r}), Limits(), 600)",
        ],
        cwd=Path(__file__).parents[2],
    )
    while not (tmp_path / "me").exists():
        assert worker.poll() is None
        time.sleep(0.05)
    time.sleep(0.2)
    worker.kill()
    worker.wait()
    assert gone(int((tmp_path / "me").read_text()))


def test_the_fuzzing_process_learns_no_address_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (settings.DATABASE, settings.BROKER, "POSTGRES_PASSWORD", "PGPASSWORD"):
        monkeypatch.setenv(name, "redis://:hunter2@broker:6379/0")
    text = "import json, os; open('seen', 'w').write(json.dumps(dict(os.environ)))"
    run_confined(script(tmp_path, text), tmp_path, LIMITS, 20)
    seen = json.loads((tmp_path / "seen").read_text())
    assert not [value for value in seen.values() if "hunter2" in value]
    assert set(seen) <= {
        "PATH", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONPATH", "HOME", "TMPDIR",
        "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "XDG_CACHE_HOME",
    }  # fmt: skip
    assert os.environ[settings.BROKER]
