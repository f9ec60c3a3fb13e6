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
        "STAGE2FUZZ_CONFINED",
    }  # fmt: skip
    assert os.environ[settings.BROKER]


LEAVING = """
import os, sys, time
for _ in range(2):
    if os.fork():
        os.wait() if _ == 0 else os._exit(0)
        break
    try:
        os.setsid()
    except PermissionError:
        open("refused", "w")
else:
    open("orphan", "w").write(str(os.getpid()))
    time.sleep(600)
"""


def test_an_orphan_that_wants_to_leave_ends_with_the_program(tmp_path: Path) -> None:
    assert run_confined(script(tmp_path, LEAVING), tmp_path, LIMITS, 20).how is How.OK
    if sys.platform == "linux":
        assert (tmp_path / "refused").exists()
    orphan = tmp_path / "orphan"
    assert not orphan.exists() or gone(int(orphan.read_text() or 0))


ATTACK = """
import json, os, signal, socket, time
tried = {}
def attempt(name, what):
    try:
        what()
    except OSError as error:
        tried[name] = error.errno
    else:
        tried[name] = 0
asker = int(os.environ["ASKER"])
attempt("environ", lambda: open(f"/proc/{asker}/environ").read())
attempt("memory", lambda: open(f"/proc/{asker}/mem"))
attempt("kill", lambda: os.kill(asker, signal.SIGKILL))
attempt("kill parent", lambda: os.kill(os.getppid(), signal.SIGKILL))
attempt("kill all", lambda: os.kill(-1, signal.SIGKILL))
attempt("socket", lambda: socket.socket(socket.AF_UNIX))
attempt("network", lambda: socket.socket(socket.AF_INET))
attempt("group", lambda: os.setpgid(0, 0))
attempt("session", lambda: os.setsid())
json.dump(tried, open("tried", "w"))
os.abort()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the cage is Linux's")
def test_the_cage_holds_and_an_abort_is_still_an_abort(tmp_path: Path) -> None:
    more = {"ASKER": str(os.getpid())}
    end = run_confined(script(tmp_path, ATTACK), tmp_path, LIMITS, 20, more=more)
    assert end == End(How.CRASH, -signal.SIGABRT)
    tried = json.loads((tmp_path / "tried").read_text())
    assert not [name for name, error in tried.items() if not error], tried


HANGUP = """
import signal, subprocess, sys, time
from pathlib import Path
from stage2fuzz.process.limits import Limits
from stage2fuzz.process.wait import run_confined
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup has it ignored
run_confined((sys.executable, "program.py"), Path("."), Limits(), 600)
"""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL, signal.SIGTERM])
def test_whatever_ends_the_asker_ends_all_that_it_started(tmp_path: Path, number: int) -> None:
    script(
        tmp_path,
        "import os, time\n"
        "child = os.fork()\n"
        "open(f'{child}.pid', 'w') if child else None\n"
        "time.sleep(600)",
    )
    asker = subprocess.Popen(
        [sys.executable, "-c", HANGUP],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    while not (pids := list(tmp_path.glob("*.pid"))):
        assert asker.poll() is None
        time.sleep(0.05)
    asker.send_signal(number)
    asker.wait()
    assert gone(int(pids[0].stem))
