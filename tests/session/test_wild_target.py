"""A fuzz target that ends wildly or in silence: a session and a campaign say so, and exit with it.

The target runs some inputs on a model in which nothing is to be found, and then goes wild.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stage2fuzz import places
from stage2fuzz.process import life
from stage2fuzz.service import settings
from tests.cli.terminal import command

ROOT = Path(__file__).parents[2]
TARGET = """
import os, signal, sys, time
sys.path.insert(0, {root!r})
from stage2fuzz.fuzz.harness import Harness

plain, left = Harness.one_input, 50
{first}

def wild():
    {code}

def one_input(self, data):
    global left
    left -= 1
    if left < 0:
        self.write_stats()
        wild()
    return plain(self, data)

Harness.one_input = one_input
from stage2fuzz.fuzz_targets import driver
driver.main("map_race")
"""
BLOCK = "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())"
WILD = {
    "exit 0": ("os._exit(0)", 3, "ended by itself with exit code 0, before its time"),
    "SIGKILL": ("os.kill(os.getpid(), 9)", 3, "died of SIGKILL, before its time"),
    "exit 1": ("os._exit(1)", 70, "map_race ended with 1"),
    "exception": ("raise ValueError('\\33[31mred')", 70, "map_race ended with"),
    "sleep": ("time.sleep(999)", 70, "map_race ended with"),
    "blocked sleep": (f"{BLOCK}; time.sleep(999)", 3, "did not end in its time"),
    "blocked loop": (f"{BLOCK}\n    while True: pass", 3, "did not end in its time"),
    "memory": ("kept = [bytearray(1 << 27) for _ in range(99)]", 70, "map_race ended with"),
    "parent": (
        "try: os.kill(os.getppid(), 9)\n    except OSError: os.kill(os.getpid(), 9)",
        3,
        "died of SIGKILL, before its time",
    ),
    "closed pipes": ("os.closerange(0, 64); os._exit(0)", 3, "exit code 0, before its time"),
    "mute": ("", 3, "did not end in its time"),
}
"""What it does, the exit code of the session, and its words. What Python or libFuzzer notices in a
target of a model is a bug of ours, and is called one."""
MUTE = f"{BLOCK}; time.sleep(999)"
"""What the target does before its first word that is wild in no other way."""
FEW = ("exit 0", "SIGKILL")
EACH = [pytest.param(name, marks=() if name in FEW else pytest.mark.slow, id=name) for name in WILD]


@pytest.fixture
def targets(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder of one target that goes wild in the way that the test is about."""
    folder = tmp_path / "targets"
    folder.mkdir()
    code = WILD[request.node.callspec.params["wild"]][0]
    words = {"root": str(ROOT), "code": code or "pass", "first": "" if code else MUTE}
    (folder / "map_race.py").write_text(TARGET.format(**words))
    return folder


@pytest.mark.parametrize("wild", EACH)
def test_a_session_says_how_its_target_ended(
    targets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wild: str
) -> None:
    _, code, words = WILD[wild]
    monkeypatch.setattr(places, "TARGETS", targets)
    monkeypatch.setenv(life.VARIABLE, "14")
    database = f"--database=sqlite:///{tmp_path}/found.db"
    options = ("--engine=model:v5.12", "--target=map_race", "--seconds=15", "--jobs=1", database)
    said = command("fuzz", *options)
    assert said.code == code, said
    assert words in said.err, said
    assert "\33" not in said.out + said.err, said
    if code == 3:
        assert "stage2fuzz: inconclusive: map_race " in said.err


@pytest.mark.slow
@pytest.mark.parametrize("wild", WILD)
def test_a_campaign_says_how_its_orders_ended(targets: Path, tmp_path: Path, wild: str) -> None:
    words = ("--engine=model:v5.12", "--target=map_race", "--seconds=25", "--order-seconds=10")
    more = ("--workers=1", "--regress=model:v5.12", "--json")
    done = subprocess.run(
        [sys.executable, "-m", "stage2fuzz", "campaign", "start", "wild", "--local", *words, *more],
        env=os.environ
        | {
            "STAGE2FUZZ_DATABASE": f"sqlite:///{tmp_path}/found.db",
            settings.TARGETS: str(targets),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (1, 3), done
    told = json.loads(done.stdout)
    named = [each for each in told["findings"] if each["oracle"] == "process"]
    assert named or told["inconclusive"], told
    assert done.returncode == (1 if told["findings"] else 3)
