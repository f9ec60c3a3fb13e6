"""What a stranger could try: messages, orders, outbox files, listening ports, defaults."""

import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu.connection import Connection
from sqlalchemy import Engine

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case
from stage2fuzz.coordinator.metrics import MetricsServer
from stage2fuzz.errors import InputError
from stage2fuzz.findings import campaigns, workers
from stage2fuzz.findings.leases import MAX_ATTEMPTS
from stage2fuzz.findings.states import Part
from stage2fuzz.fuzz import outbox
from stage2fuzz.fuzz.outbox import read_finding
from stage2fuzz.service import settings
from stage2fuzz.service.local import broker_command
from stage2fuzz.service.orders import QUEUE, TASKS, CampaignSpec
from stage2fuzz.worker.app import app
from stage2fuzz.worker.tasks import carry_out
from tests.service.rig import ROOT, Rig

GOOD = {
    "format": 1,
    "engine": "model:v5.10",
    "oracle": "C6",
    "rule": "no downgrade",
    "category": "correctness",
    "signature": "C6/page",
    "verdict": "A permission is gone.",
    "case": format_case(Case()),
}


RAW_MESSAGES = (
    *("garbage", "[]", "null", "7", "{}", '"text"', '{"body": null}', "[" * 5000, ""),
    *(b"\xff\xfe\x00", '{"properties": {}}', '{"properties": 1, "headers": [], "body": 1}'),
    '{"properties": {"delivery_tag": "1", "delivery_info": {}}, "headers": {}, "body": "?"}',
    '{"properties": {"delivery_tag": 1, "body_encoding": "base64"}, "headers": {}, "body": "?"}',
)
"""What stands in the queue when somebody writes to it who is no Kombu."""


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, f"sqlite:///{tmp_path}/campaign.db", findings=0)
    yield made
    made.close()


def test_a_worker_reads_json_alone_and_knows_our_tasks_alone() -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == app.conf.event_serializer == "json"
    assert app.conf.result_backend is None
    assert app.conf.worker_enable_remote_control is False
    assert set(app.tasks) == set(TASKS.values())


@pytest.mark.slow
def test_messages_of_a_stranger_run_nothing_and_stop_nothing(stranger: Rig, tmp_path: Path) -> None:
    """Pickle, unknown tasks, other types: all refused, and the campaign goes on to its end."""
    stranger.start(seconds=4)
    proof = tmp_path / "proof"
    code = f"cposix\nsystem\n(Vtouch {proof}\ntR.".encode()
    url = stranger.service.environment()[settings.BROKER]
    with Connection(url) as connection:  # type: ignore[no-untyped-call]
        producer = connection.Producer()

        def send(body: bytes | str, kind: str, task: str) -> None:
            producer.publish(
                body,
                routing_key=QUEUE,
                content_type=kind,
                content_encoding="utf-8" if isinstance(body, str) else "binary",
                headers={"task": task, "id": "0", "lang": "py", "root_id": "0"},
            )

        for task in (TASKS["fuzz"], "posix.system", "celery.map", "celery.backend_cleanup"):
            send(code, "application/x-python-serialize", task)
            for arguments in ([], [f"touch {proof}", 1], [[1], {"a": 1}], [10**30, -1], [True, 1]):
                send(json.dumps([arguments, {}, {}]), "application/json", task)
        send("no json", "application/json", TASKS["fuzz"])
        client = connection.channel().client
        for raw in RAW_MESSAGES:
            client.lpush(QUEUE, raw)
    stranger.until_done()
    stranger.expect_books_in_order()
    assert stranger.figures().campaign.schedules > 0
    assert not proof.exists()


@pytest.mark.parametrize(
    "values", [("1", 2), (True, 1), (1.5, 1), (None, None), ([1], {}), (0, 1), (1, 10**30)]
)
def test_a_message_that_is_not_two_numbers_is_dropped(
    values: tuple[object, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stage2fuzz.worker.tasks.claimed", lambda *_: pytest.fail("claimed"))
    carry_out(*values)


@pytest.mark.parametrize(
    "change",
    [
        {"case": "no case"},
        {"case": GOOD["case"].replace("v5.10", "v5.12")},  # type: ignore[attr-defined]
        {"case": GOOD["case"].replace("pages 4", "pages 1000000000")},  # type: ignore[attr-defined]
        {"case": 7},
        {"category": "execute me"},
        {"signature": None},
    ],
)
def test_a_bad_file_in_the_outbox_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "0.finding.json"
    path.write_text(json.dumps(GOOD))
    found, violation = read_finding(path, "model:v5.10")
    assert (found, violation.signature) == (Case(), "C6/page")
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(InputError):
        read_finding(path, "model:v5.10")


@pytest.mark.parametrize("text", ["", "[]", "nul", '{"format": 1}', "[" * 100_000])
def test_a_file_that_is_no_finding_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "0.finding.json"
    path.write_text(text)
    with pytest.raises(InputError):
        read_finding(path, "model:v5.10")


def test_a_link_or_a_giant_in_the_outbox_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "0.finding.json"
    path.symlink_to("/etc/passwd")
    with pytest.raises(InputError):
        read_finding(path, "model:v5.10")
    path.unlink()
    path.write_text(json.dumps(GOOD))
    monkeypatch.setattr(outbox, "MAX_FINDING", 100)
    with pytest.raises(InputError):
        read_finding(path, "model:v5.10")


def test_a_pipe_in_the_outbox_is_waited_for_by_nobody(tmp_path: Path) -> None:
    for name in ("0.finding.json", "stats.json", "running", "crash-0", "features"):
        os.mkfifo(tmp_path / name)
    refused: list[str] = []
    box = outbox.Outbox(tmp_path, "model:v5.10")
    assert list(box.findings(refused.append)) == []
    assert box.statistics() == outbox.Statistics()
    assert box.running() is None
    assert box.features() == 0
    assert list(box.killers(tmp_path, -6)) == []


def test_a_hundred_thousand_files_in_an_outbox_cost_seconds_at_most(tmp_path: Path) -> None:
    for number in range(100_000):
        os.close(os.open(tmp_path / f"{number}.finding.json", os.O_CREAT))
    refused: list[str] = []
    before = os.times()
    box = outbox.Outbox(tmp_path, "model:v5.10")
    for _ in range(10):
        assert list(box.findings(refused.append)) == []
    spent = os.times()
    assert len(refused) == outbox.MAX_FINDINGS
    assert spent.user + spent.system - before.user - before.system < 5


def test_nothing_listens_beyond_this_machine_unless_told_to() -> None:
    plain = settings.from_environment({})
    assert plain.metrics_address == ("127.0.0.1", 9464)
    assert "127.0.0.1" in plain.broker
    assert plain.database.startswith("sqlite:")
    command = broker_command(Path("/run/socket"), Path("/run"))
    assert command[command.index("--port") + 1] == "0"
    assert command[command.index("--unixsocketperm") + 1] == "700"
    server = MetricsServer(("127.0.0.1", 0))
    try:
        try:
            host = socket.gethostbyname(socket.gethostname())
        except socket.gaierror:
            pytest.skip("this machine's name has no address")
        if not host.startswith("127."):
            with (
                pytest.raises(OSError, match="refused"),
                socket.create_connection((host, server.port), timeout=2),
            ):
                pass
    finally:
        server.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (settings.BROKER, "memory://"),
        (settings.BROKER, "filesystem:///tmp"),
        (settings.METRICS, "9464"),
        (settings.METRICS, "127.0.0.1:http"),
        (settings.METRICS, "127.0.0.1:65536"),
        (settings.LEASE, "0"),
        (settings.LEASE, "soon"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(InputError, match=name):
        settings.from_environment({name: value})


def test_no_figures_are_off_and_port_0_is_any() -> None:
    assert settings.from_environment({settings.METRICS: "off"}).metrics_address is None
    any_port = settings.from_environment({settings.METRICS: "127.0.0.1:0"})
    assert any_port.metrics_address == ("127.0.0.1", 0)


def test_names_go_into_the_database_as_values(database: Engine) -> None:
    for name in ("x'; DROP TABLE lease; --", "../x", "", "a" * 81, "a\nb"):
        with pytest.raises(InputError):
            campaigns.create(database, CampaignSpec(name, ("model:v5.10",), ("map_race",)))
        with pytest.raises(InputError):
            campaigns.named(database, name)
    workers.seen(database, Part.WORKER, "'; DROP TABLE worker; --:1", 1)
    assert [each["name"] for each in workers.listed(database)] == ["'; DROP TABLE worker; --:1"]
    assert workers.living(database, Part.WORKER, "%") == 0


def test_no_sql_is_put_together_from_text() -> None:
    for folder in ("stage2fuzz", "coordinator", "worker"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text()
            assert not re.search(r"(execute|text|exec_driver_sql)\(\s*f[\"'].*(WHERE|VALUES)", text)


def test_the_image_s_user_is_nobody_and_no_password_is_shipped() -> None:
    assert "USER 10001:10001" in (ROOT / "Dockerfile").read_text()
    example = (ROOT / ".env.example").read_text()
    assert re.findall(r"^\w*PASSWORD=(.*)$", example, re.MULTILINE) == ["", ""]


def test_attempts_are_bounded() -> None:
    assert 1 < MAX_ATTEMPTS <= 5
