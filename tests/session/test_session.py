"""A local session as a user sees it: the README's first command, whole."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from stage2fuzz.case.text import parse
from stage2fuzz.cli.campaign_view import summary_of
from stage2fuzz.cli.summary import conclude
from stage2fuzz.findings import campaigns
from stage2fuzz.findings.figures import figures_of
from stage2fuzz.findings.states import CampaignState, State
from stage2fuzz.findings.store import Store
from stage2fuzz.fuzz.feature_map import FeatureMap
from stage2fuzz.fuzz.outbox import Outbox
from stage2fuzz.run import run
from stage2fuzz.service.orders import CampaignSpec
from stage2fuzz.session.reproduce import signatures
from stage2fuzz.session.session import SessionTotals
from stage2fuzz.session.summary import Summary


def command(folder: Path, *arguments: str) -> list[str]:
    database = f"sqlite:///{folder}/findings.db"
    return [sys.executable, "-m", "stage2fuzz", *arguments, "--database", database]


def test_fuzz_finds_the_series_faults_and_leaves_them_minimised(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path, "fuzz", "--seconds", "5", "--json"),
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
    arguments = ("fuzz", "--engine", "model:v6.12", "--target", "map_race", "--seconds", "4")
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


def test_a_session_that_is_ended_before_its_time_says_so(tmp_path: Path) -> None:
    arguments = ("fuzz", "--engine", "model:v5.12", "--target", "map_race", "--seconds", "300")
    with subprocess.Popen(
        command(tmp_path, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None
        assert "fuzzing model:v5.12" in process.stdout.readline()
        time.sleep(1.5)
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert "stage2fuzz: inconclusive: stopped 29" in err


def test_features_of_several_processes_are_a_union(tmp_path: Path) -> None:
    totals = SessionTotals()
    for name, features in (("a", (1, 2, 3)), ("b", (2, 3, 4)), ("c", ())):
        folder = tmp_path / name
        folder.mkdir()
        FeatureMap(folder).add(frozenset(features))
        totals.add(Outbox(folder, "model:v5.10"))
    assert totals.features == 4


def test_a_session_and_a_campaign_end_in_the_same_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/findings.db")
    spec = CampaignSpec("night", ("model:v5.12",), ("map_race",), seconds=60)
    number = campaigns.create(store.engine, spec)
    figures = figures_of(store.engine, number)
    done = replace(figures.campaign, state=CampaignState.DONE, schedules=5, fuzz_seconds=3.0)
    figures = replace(figures, campaign=done, features=2)
    session = Summary("model:v5.12", 5, None, 2, 3.0, [])
    assert summary_of(figures, []) == session
    cut = replace(
        figures,
        limits={"timeout": 2, "early": 1, "cut short": 3, "not begun": 1},
        leases={"poisoned": 1},
    )
    assert summary_of(cut, []).exit_code == 3
    mute = summary_of(figures, [], ["model:v5.12 map_race"])
    assert (mute.exit_code, mute.missing) == (3, ("model:v5.12 map_race ran nothing",))
    with pytest.raises(typer.Exit) as ended:
        conclude(summary_of(cut, []), "sqlite:///other.db", as_json=False)
    assert ended.value.exit_code == 3
    said = capsys.readouterr()
    assert said.out == "5 schedules, 2 features, 0 findings\n"
    assert said.err == (
        "stage2fuzz: inconclusive: 1 order ended before its time: early\n"
        "stage2fuzz: inconclusive: 2 orders ended before their time: timeout\n"
        "stage2fuzz: inconclusive: 1 order given up, see the log\n"
    )
    store.close()
