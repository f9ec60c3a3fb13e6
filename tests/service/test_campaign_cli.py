"""``stage2fuzz campaign`` as a person types it."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import update

from stage2fuzz.cli import main
from stage2fuzz.cli.interrupt import Interrupt, Interruption
from stage2fuzz.cli.output import say
from stage2fuzz.cli.service_here import from_anywhere
from stage2fuzz.findings import campaigns
from stage2fuzz.findings.campaign_tables import campaign
from stage2fuzz.findings.figures import figures_of
from stage2fuzz.findings.states import CampaignState
from stage2fuzz.findings.store import Store
from tests.service.rig import ROOT, command_of


def stage2fuzz(database: Path, *words: str, code: int = 0) -> str:
    """What the command prints; its exit code must be ``code``."""
    said = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        pytest.raises(SystemExit) as ended,
    ):
        patch.setattr(sys, "argv", ["stage2fuzz", *words])
        patch.setenv("STAGE2FUZZ_DATABASE", f"sqlite:///{database}")
        main()
    assert (ended.value.code or 0) == code, said.getvalue()
    return said.getvalue()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "campaign.db"


def test_a_campaign_is_started_paused_resumed_and_stopped(database: Path) -> None:
    said = stage2fuzz(database, "campaign", "start", "night", "--json")
    text, _, hint = said.partition("}\nnothing happens yet: ")
    started = json.loads(text + "}")
    assert "no worker and no coordinator works on this database" in hint
    assert (started["campaign"], started["state"]) == ("night", "running")
    for verb, state in (("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        said = stage2fuzz(database, "campaign", verb, "night")
        assert state in said
        assert ("no worker and no coordinator" in said) == (verb == "resume")
    (listed,) = json.loads(stage2fuzz(database, "campaign", "list", "--json"))
    assert listed == json.loads(stage2fuzz(database, "campaign", "status", "1", "--json"))
    assert listed["state"] == "stopped"
    assert "night" in stage2fuzz(database, "campaign", "list")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("start", "night", "--engine", "model:v9"), "unknown revision 'v9'"),
        (("start", "no/name"), "name: is no valid name"),
        (("start", "night", "--target", "../x"), "targets[0]: is no valid name"),
        (("start", "night", "--strategy", "wild"), "no strategy 'wild'"),
        (("start", "night", "--seconds", "-1"), "seconds: Expected `int` >= 0"),
        (("status", "day"), "there is no campaign 'day'"),
        (("resume", "day"), "there is no campaign 'day'"),
    ],
)
def test_a_mistake_is_one_clear_line(database: Path, words: tuple[str, ...], line: str) -> None:
    Store.open(str(database)).close()
    said = stage2fuzz(database, "campaign", *words, code=2)
    assert line in said
    assert said.count("\n") == 1


def test_a_database_that_is_not_there_is_not_made(database: Path) -> None:
    for words in (("list",), ("status", "night"), ("stop", "night"), ("delete", "night")):
        assert "there is no such database" in stage2fuzz(database, "campaign", *words, code=2)
    assert not database.exists()


def test_a_deleted_campaign_is_gone_and_its_name_free(database: Path) -> None:
    stage2fuzz(database, "campaign", "start", "night")
    assert "stop it first" in stage2fuzz(database, "campaign", "delete", "night", code=2)
    stage2fuzz(database, "campaign", "stop", "night")
    assert "its findings stay" in stage2fuzz(database, "campaign", "delete", "#1")
    assert stage2fuzz(database, "campaign", "list").startswith("no campaigns in ")
    stage2fuzz(database, "campaign", "start", "night")


def test_a_campaign_that_nobody_works_for_says_so_and_what_to_do(database: Path) -> None:
    stage2fuzz(database, "campaign", "start", "night")
    store = Store.open(str(database))
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE campaign SET ticked = ticked - 600, service = 'local-1'")
    store.close()
    said = stage2fuzz(database, "campaign", "status", "night")
    assert "nobody has worked for it for 10.0 min" in said
    assert "campaign resume night --local" in said
    assert "running, untended" in stage2fuzz(database, "campaign", "list")
    assert json.loads(stage2fuzz(database, "campaign", "status", "night", "--json"))["untended"]


def test_words_of_a_finding_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    say("[red]x[/] [/nothing]\n\x1b[31mred")
    assert capsys.readouterr().out == "[red]x[/] [/nothing]\\n\\x1b[31mred\n"


def test_a_name_is_taken_once(database: Path) -> None:
    stage2fuzz(database, "campaign", "start", "night")
    assert "there is a campaign" in stage2fuzz(database, "campaign", "start", "night", code=2)


def test_a_status_uses_no_word_that_it_does_not_explain(database: Path) -> None:
    stage2fuzz(database, "campaign", "start", "night")
    store = Store.open(f"sqlite:///{database}")
    with store.engine.begin() as connection:
        connection.execute(update(campaign).values(state=CampaignState.DRAINING))
    store.close()
    said = stage2fuzz(database, "campaign", "status", "night")
    assert "draining: no more fuzzing; what was found is still confirmed and minimised" in said
    assert "inputs that end their process" in said and "killers" not in said
    assert "orders begun once more" in said and "again" not in said


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("night.db", "{here}/night.db"),
        ("sqlite:///night.db", "sqlite:///{here}/night.db"),
        ("sqlite+pysqlite:///a/night.db?x=1", "sqlite+pysqlite:///{here}/a/night.db?x=1"),
        ("sqlite:////kept/night.db", "sqlite:////kept/night.db"),
        ("postgresql://host/night", "postgresql://host/night"),
        ("postgresql:///night", "postgresql:///night"),
    ],
)
def test_a_database_has_the_same_name_in_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, seen: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert from_anywhere(given) == seen.format(here=tmp_path)


@pytest.mark.slow
def test_a_name_that_is_taken_leaves_no_service_behind(database: Path) -> None:
    stage2fuzz(database, "campaign", "start", "night")
    said = stage2fuzz(database, "campaign", "start", "night", "--local", code=2)
    assert len(said.splitlines()) == 1 and "there is a campaign 'night'" in said
    assert not [each for each in descendants(os.getpid()) if b"stage2fuzz" in command_of(each)]


@pytest.mark.slow
def test_one_command_finds_the_series_faults_confirmed_minimised_and_fixed(database: Path) -> None:
    words = ("campaign", "start", "night", "--local", "--seconds", "60", "--json")
    begun = time.monotonic()
    record = json.loads(stage2fuzz(database, *words, code=1))
    assert time.monotonic() - begun < 75
    assert record["campaign"]["state"] == "done"
    assert record["campaign"]["findings"] == len(record["findings"]) > 0
    assert record["schedules"] == record["campaign"]["schedules"] > 0
    assert record["features"] == record["campaign"]["features"] > 0
    assert record["campaign"]["inputs"] > 0
    points = json.loads(stage2fuzz(database, "campaign", "coverage", "night", "--json"))
    features = [each["features"] for each in points]
    assert features == sorted(features)
    assert features[-1] > 0
    assert "features" in stage2fuzz(database, "campaign", "coverage", "night")
    found = json.loads(stage2fuzz(database, "findings", "list", "--json"))
    lost_permission = [each for each in found if each["oracle"] == "C6"]
    assert all(each["confirmations"] == each["attempts"] == 3 for each in lost_permission)
    tried = [each for each in lost_permission if each["first_seen_in"]]
    assert tried  # on a busy machine the time may be up before the last one is
    for each in tried:
        assert each["state"] == "minimised"
        assert (each["first_seen_in"], each["fixed_in"]) == ("model:v5.10", "model:v5.12")


@pytest.mark.slow
def test_nothing_outlives_the_command_that_started_it(database: Path) -> None:
    words = ("campaign", "start", "night", "--local", "--workers", "1")
    command = subprocess.Popen(
        [sys.executable, "-c", "from stage2fuzz.cli import main; main()", *words],
        cwd=ROOT,
        env=os.environ | {"STAGE2FUZZ_DATABASE": f"sqlite:///{database}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            time.sleep(0.1)
            if database.exists() and working(database):
                break
        started = descendants(command.pid)
        assert len(started) >= 5, "broker, coordinator, worker, its pool, a fuzzing process"
    finally:
        command.kill()
        command.wait()
    for _ in range(100):
        left = [process for process in started if Path(f"/proc/{process}/exe").exists()]
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError([Path(f"/proc/{process}/cmdline").read_text() for process in left])


def test_a_request_to_end_is_heard_where_nothing_is_left_half_started_or_ended() -> None:
    interrupt, ran = Interrupt(), []
    interrupt()
    with pytest.raises(Interruption), interrupt.heard():
        ran.append("though it was asked to end before")
    interrupt()
    assert not ran
    later = Interrupt()
    with pytest.raises(Interruption), later.heard():
        later()


@pytest.mark.slow
def test_what_was_run_counts_though_a_person_ends_it_in_the_middle(database: Path) -> None:
    words = ("campaign", "start", "night", "--local", "--workers", "1", "--json")
    command = subprocess.Popen(
        [sys.executable, "-c", "from stage2fuzz.cli import main; main()", *words],
        cwd=ROOT,
        env=os.environ | {"STAGE2FUZZ_DATABASE": f"sqlite:///{database}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        while not (database.exists() and working(database)):
            assert command.poll() is None
            time.sleep(0.1)
        time.sleep(6)
        command.send_signal(signal.SIGINT)
        told = json.loads(command.communicate(timeout=60)[0])
    finally:
        command.kill()  # and with it its service, whatever failed above
    assert told["findings"] or any("stopped after" in each for each in told["inconclusive"])
    assert command.returncode == (1 if told["findings"] else 3)
    record = told["campaign"]
    assert (record["state"], record["note"]) == ("stopped", "interrupted")
    assert record["schedules"] > 0
    assert record["orders"].get("committed") == 1
    assert record["orders_cut_short"] == {"cut short": 1}


def working(database: Path) -> bool:
    """Whether a fuzz order is in work."""
    store = Store.open(f"sqlite:///{database}")
    try:
        begun = campaigns.every(store.engine)  # none where the worker made the database
        return bool(begun and figures_of(store.engine, 1).leases.get("leased"))
    finally:
        store.close()


def descendants(process: int) -> list[int]:
    """Every process below this one, however deep."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(words[1]), []).append(int(path.parent.name))
    found, todo = [], [process]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found
