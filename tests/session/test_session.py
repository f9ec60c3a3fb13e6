"""A local session as a user sees it: the README's first command, whole."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from stage2fuzz.case.text import parse
from stage2fuzz.findings import State, Store
from stage2fuzz.run import run
from stage2fuzz.session.reproduce import signatures


def command(folder: Path, *arguments: str) -> list[str]:
    database = f"sqlite:///{folder}/findings.db"
    return [sys.executable, "-m", "stage2fuzz", *arguments, "--database", database]


def test_fuzz_finds_the_series_faults_and_leaves_them_minimised(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path, "fuzz", "--seconds", "15", "--json"),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert {"C6", "G3"} <= {each["oracle"] for each in told["findings"]}
    store = Store.open(f"sqlite:///{tmp_path}/findings.db")
    for finding in store.list():
        assert finding.state == State.MINIMISED
        assert finding.signature in signatures(run(parse(finding.minimised, "minimised")))
    store.close()


def test_fuzz_of_a_clean_revision_finds_nothing_and_exits_0(tmp_path: Path) -> None:
    arguments = ("fuzz", "--engine", "model:v5.12", "--target", "map_race", "--seconds", "4")
    done = subprocess.run(
        command(tmp_path, *arguments), capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 findings" in done.stdout


def test_an_interrupt_ends_the_session_with_nothing_lost(tmp_path: Path) -> None:
    with subprocess.Popen(
        command(tmp_path, "fuzz", "--target", "map_race", "--seconds", "300"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        store = Store.open(f"sqlite:///{tmp_path}/findings.db")
        end = time.monotonic() + 60
        while not store.list() and time.monotonic() < end:
            time.sleep(0.2)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1, out + err
    assert "next: stage2fuzz replay" in out
    assert all(finding.state == State.MINIMISED for finding in store.list())
    store.close()
