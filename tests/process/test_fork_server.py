"""What a fork server runs is confined as a started program is, and is forgotten with its asker."""

import inspect
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from stage2fuzz.process.end import End, How
from stage2fuzz.process.forked import ForkServer
from stage2fuzz.process.limits import Limits
from stage2fuzz.process.wait import nothing
from stage2fuzz.process.zygote import Zygote
from tests.process import test_confined as started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere programs are started")

PROMISES = (
    started.test_an_end_is_told_apart_from_a_crash,
    started.test_a_process_that_hangs_is_killed_with_all_its_children,
    started.test_a_process_that_writes_without_end_is_killed,
    started.test_one_file_has_a_limit_of_its_own,
    started.test_a_process_that_eats_memory_can_not,
    started.test_what_the_heartbeat_raises_ends_the_process,
    started.test_the_fuzzing_process_learns_no_address_and_no_secret,
    started.test_an_orphan_that_wants_to_leave_ends_with_the_program,
    started.test_the_cage_holds_and_an_abort_is_still_an_abort,
)


MODULES = ("stage2fuzz.model.engine", "no.such.module")


@pytest.fixture
def server() -> Iterator[ForkServer]:
    made = ForkServer(MODULES)
    yield made
    made.close()


@pytest.fixture
def zygote() -> Iterator[Zygote]:
    made = Zygote(MODULES)
    made.keep()
    yield made
    made.close()


@pytest.fixture(params=["started", "forked"])
def either(request: pytest.FixtureRequest) -> Iterator[ForkServer]:
    """A server that was started, and one that a zygote forked."""
    forked = request.param == "forked"
    made = ForkServer(MODULES, request.getfixturevalue("zygote") if forked else None)
    yield made
    made.close()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda each: each.__name__)
def test_a_fork_keeps_the_promise(
    promise: Callable[..., None],
    server: ForkServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The test of a started program, with a forked one in its place."""
    asked: list[Path] = []

    def run(
        program: Sequence[str],
        folder: Path,
        limits: Limits,
        seconds: float,
        beat: Callable[[], None] = nothing,
        more: Mapping[str, str] | None = None,
    ) -> End:
        path = Path(program[1])
        asked.append(path)
        return server.run(path, program[2:], folder, limits, seconds, beat, more)

    monkeypatch.setattr(started, "run_confined", run)
    known = {"tmp_path": tmp_path, "monkeypatch": monkeypatch}
    promise(**{name: known[name] for name in inspect.signature(promise).parameters})
    assert asked


def script(folder: Path, text: str) -> Path:
    path = folder / "program.py"
    path.write_text(text)
    return path


def test_scripts_leave_nothing_to_one_another(either: ForkServer, tmp_path: Path) -> None:
    text = """
import json, os, sys
seen = [sys.argv[1:], os.getcwd(), hasattr(sys, "left"), os.listdir("/proc/self/fd").__len__()]
seen.append("stage2fuzz.model.engine" in sys.modules)
json.dump(seen, open("seen", "w"))
sys.left = True
os.environ["LEFT"] = "1"
"""
    counts = set()
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        end = either.run(script(tmp_path, text), ("--now", name), folder, Limits(), 20)
        assert end == End(How.OK, 0)
        arguments, where, left, files, imported = json.loads((folder / "seen").read_text())
        assert (arguments, where, left, imported) == (["--now", name], str(folder), False, True)
        counts.add(files)
    assert max(counts) <= 5
    assert len(counts) == 1


@pytest.mark.parametrize(("text", "code"), [("import sys; sys.exit('why')", 1), ("1 / 0", 1)])
def test_what_a_script_says_at_its_end_is_in_its_log(
    either: ForkServer, tmp_path: Path, text: str, code: int
) -> None:
    assert either.run(script(tmp_path, text), (), tmp_path, Limits(), 20).code == code
    assert (tmp_path / "log").read_text().splitlines()[-1] in (
        "why",
        "ZeroDivisionError: division by zero",
    )


def test_a_server_that_was_killed_is_started_again(server: ForkServer, tmp_path: Path) -> None:
    path = script(tmp_path, "open('ran', 'w')")
    server.run(path, (), tmp_path, Limits(), 20)
    (tmp_path / "ran").unlink()
    process = server._process
    assert process is not None
    process.kill()
    process.wait()
    assert server.run(path, (), tmp_path, Limits(), 20) == End(How.OK, 0)
    assert (tmp_path / "ran").exists()


def test_a_zygote_that_was_killed_takes_its_servers_along_and_is_started_again(
    zygote: Zygote, tmp_path: Path
) -> None:
    server = ForkServer(MODULES, zygote)
    path = script(tmp_path, "open('ran', 'w')")
    for _ in range(2):
        assert server.run(path, (), tmp_path, Limits(), 20) == End(How.OK, 0)
        (tmp_path / "ran").unlink()
        first = zygote._process
        assert first is not None
        first.kill()
        first.wait()
        zygote.keep()
        assert zygote._process is not first
    server.close()


def test_servers_of_one_zygote_know_nothing_of_one_another(zygote: Zygote, tmp_path: Path) -> None:
    servers = [ForkServer(MODULES, zygote) for _ in range(2)]
    text = "import os; open('group', 'w').write(f'{os.getpgrp()} {os.getsid(0)}')"
    seen = []
    for number, server in enumerate(servers):
        folder = tmp_path / str(number)
        folder.mkdir()
        server.run(script(tmp_path, text), (), folder, Limits(), 20)
        seen += (folder / "group").read_text().split()
    assert len(set(seen)) == 4
    servers[0].close()
    assert servers[1].run(tmp_path / "program.py", (), tmp_path, Limits(), 20).how is How.OK
    servers[1].close()


ASKER = """
import signal
import sys
from pathlib import Path
from stage2fuzz.process.forked import ForkServer
from stage2fuzz.process.limits import Limits
from stage2fuzz.process.zygote import Zygote
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may have it ignored
zygote = Zygote(()) if sys.argv[1] == "forked" else None
if zygote:
    zygote.keep()
ForkServer((), zygote).run(Path("program.py").absolute(), (), Path(".").absolute(), Limits(), 600)
"""


@pytest.mark.parametrize("kind", ["started", "forked"])
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL, signal.SIGTERM])
def test_whatever_ends_the_asker_ends_server_and_script(
    tmp_path: Path, number: int, kind: str
) -> None:
    script(
        tmp_path,
        "import os, time\n"
        "child = os.fork()\n"
        "open(f'{child}.pid', 'w') if child else None\n"
        "time.sleep(600)",
    )
    asker = subprocess.Popen(
        [sys.executable, "-c", ASKER, kind],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    while not (pids := list(tmp_path.glob("*.pid"))):
        assert asker.poll() is None
        time.sleep(0.05)
    asker.send_signal(number)
    asker.wait()
    assert started.gone(int(pids[0].stem))
