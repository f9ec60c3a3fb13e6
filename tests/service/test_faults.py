"""Faults the service survives, with real servers: nothing lost, nothing twice, it goes on."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import select, update

from stage2fuzz.findings import campaigns
from stage2fuzz.findings.campaign_tables import campaign, corpus, lease
from stage2fuzz.findings.models import Finding
from tests.service.conftest import PostgresServer
from tests.service.rig import Rig, fresh

pytestmark = pytest.mark.slow
DEADLY = "an input that kills"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/campaign.db"
    postgres: str = request.getfixturevalue("postgres")
    fresh(postgres)
    return postgres


@pytest.fixture
def rig(tmp_path: Path, url: str) -> Iterator[Rig]:
    made = Rig(tmp_path, url, findings=2, of=40)
    yield made
    made.close()


def in_work(rig: Rig) -> None:
    rig.until(
        lambda figures: figures.campaign.schedules > 0 and figures.leases.get("leased", 0) > 0
    )


def test_a_campaign_runs_to_its_end(rig: Rig) -> None:
    rig.start(seconds=10)
    rig.until_done()
    rig.expect_books_in_order()
    assert rig.figures().campaign.findings > 0
    assert rig.figures().again == 0


def test_a_hundred_thousand_files_cost_their_own_order_at_most(rig: Rig) -> None:
    rig.behave(many=100_000)
    rig.start(seconds=0, order_seconds=1)
    rig.until(lambda figures: bool(list(rig.service.folder.glob("*/outbox/1000.junk"))))
    rig.behave()
    before = rig.figures().leases.get("committed", 0)
    took = rig.until(lambda figures: figures.leases.get("committed", 0) >= before + 5)
    assert took < 60
    campaigns.stop(rig.store.engine, rig.campaign)


def test_a_killed_worker_is_replaced(rig: Rig) -> None:
    rig.start(seconds=0)
    in_work(rig)
    rig.kill("worker")
    rig.service.begin("worker")
    rig.until(lambda figures: figures.again > 0)
    rig.drain()
    rig.until_done()
    rig.expect_books_in_order()


def test_a_killed_coordinator_is_replaced_and_two_do_no_harm(rig: Rig) -> None:
    rig.start()
    in_work(rig)
    rig.kill("coordinator")
    rig.service.begin("coordinator")
    rig.service.begin("coordinator", "second")
    rig.until_done()
    rig.expect_books_in_order()


def test_a_broker_that_forgets_everything_is_told_again(rig: Rig) -> None:
    rig.start()
    in_work(rig)
    rig.kill("broker")
    time.sleep(1)
    rig.service.begin("broker")
    rig.until_done()
    rig.expect_books_in_order()


def test_a_database_that_goes_away_is_waited_for(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    fresh(postgres_server.url)
    rig = Rig(tmp_path, postgres_server.url, findings=2, of=40)
    try:
        rig.start(seconds=8)
        in_work(rig)
        postgres_server.stop()
        time.sleep(3)
        postgres_server.start()
        rig.until_done()
        rig.expect_books_in_order()
    finally:
        rig.close()


def test_a_worker_that_freezes_past_its_deadline_writes_nothing_twice(rig: Rig) -> None:
    rig.start(seconds=0)
    in_work(rig)
    rig.signal("worker", signal.SIGSTOP)
    frozen = rig.service.processes["worker"]
    rig.service.begin("worker", "second")
    rig.until(lambda figures: figures.again > 0)
    os.kill(frozen.pid, 0)
    rig.signal("worker", signal.SIGCONT)
    rig.drain()
    rig.until_done()
    rig.expect_books_in_order()


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_clock_that_jumps_costs_no_result(rig: Rig, jump: float) -> None:
    """The database's clock can't be set here; moving all stored times instead is the same."""
    rig.start()
    in_work(rig)
    with rig.store.engine.begin() as connection:
        moved = {"deadline": lease.c.deadline - jump, "announced": lease.c.announced - jump}
        connection.execute(update(lease).where(lease.c.state == "leased").values(moved))
        connection.execute(update(campaign).values(ticked=campaign.c.ticked - jump))
    elapsed = rig.figures().campaign.elapsed
    assert elapsed < 15
    rig.until_done()
    rig.expect_books_in_order()


def test_an_input_that_kills_becomes_a_finding_and_is_set_aside(tmp_path: Path, url: str) -> None:
    rig = Rig(tmp_path, url, deadly=DEADLY, artifact="crash", inputs=True)
    try:
        rig.start(seconds=8)
        rig.until(lambda figures: figures.inputs > 0)
        poison(rig)
        rig.until(lambda figures: figures.killers == 1)
        rig.until_done()
        rig.expect_books_in_order()
        assert [each.signature for each in rig.store.list()] == ["process/crash/map_race"]
        assert "poisoned" not in rig.figures().leases
    finally:
        rig.close()


def poison(rig: Rig) -> None:
    """Turn every input of the corpus into the one that the stand-in dies of."""
    digest = sha256(DEADLY.encode()).hexdigest()
    with rig.store.engine.begin() as connection:
        one = connection.execute(select(corpus.c.digest).where(corpus.c.state == "kept")).first()
        assert one is not None
        connection.execute(
            update(corpus)
            .where(corpus.c.digest == one.digest)
            .values(digest=digest, data=DEADLY.encode())
        )


def test_a_target_that_always_dies_pauses_the_campaign_and_says_why(
    tmp_path: Path, url: str
) -> None:
    rig = Rig(tmp_path, url, always=True)
    try:
        rig.start(seconds=0)
        rig.until(lambda figures: figures.campaign.state == "paused", 120)
        assert "no input: the process died of SIGKILL" in rig.figures().campaign.note
        assert rig.figures().campaign.schedules == 0
    finally:
        rig.close()


def test_a_target_that_hangs_is_ended_and_counted(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, url, always=True, hang=True, artifact="timeout")
    try:
        rig.start(seconds=0, findings=1)
        rig.until_done()
        assert [each.signature for each in rig.store.list()] == ["process/timeout/map_race"]
    finally:
        rig.close()


def test_a_full_disk_stops_the_work_and_not_the_campaign(
    tmp_path: Path, url: str, small_disk: Path
) -> None:
    rig = Rig(tmp_path, url, findings=2, of=40)
    rig.service.folder.rmdir()
    rig.service.folder = small_disk / "service"
    rig.service.folder.mkdir()
    try:
        rig.start()
        in_work(rig)
        ballast = small_disk / "ballast"
        with ballast.open("wb") as file:
            free = shutil.disk_usage(small_disk).free
            file.truncate(0)
            os.posix_fallocate(file.fileno(), 0, free - (8 << 20))
        time.sleep(8)
        before = rig.figures().campaign
        assert before.state in {"running", "draining"}
        assert rig.figures().leases.get("poisoned", 0) == 0
        ballast.unlink()
        rig.until_done()
        rig.expect_books_in_order()
        assert rig.figures().leases.get("poisoned", 0) == 0
    finally:
        rig.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 MB; skipped where none may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system may be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_findings_seen_while_an_order_dies_are_kept(rig: Rig) -> None:
    rig.start(seconds=0, order_seconds=60, parallel=1)
    rig.until(lambda figures: len(rig.store.list()) >= 2)
    found = {each.signature for each in rig.store.list()}
    rig.kill("worker")
    rig.service.begin("worker")
    rig.until(lambda figures: figures.again > 0)
    assert {each.signature for each in rig.store.list()} >= found
    with rig.store.engine.connect() as connection:
        rows = connection.execute(select(Finding.engine, Finding.signature)).all()
    assert len(rows) == len(set(rows))
