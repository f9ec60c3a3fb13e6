"""People are told of a finding once, together with others, and not too often."""

import hashlib
import hmac
import json
import socketserver
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email import message_from_string
from email.message import EmailMessage
from email.message import Message as HttpHeaders
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import text

from stage2fuzz.errors import InputError
from stage2fuzz.findings.states import State
from stage2fuzz.findings.store import Store
from stage2fuzz.web.notifier import Brakes, Message, Notifier
from stage2fuzz.web.punctual import PunctualCourier
from tests.cli.terminal import command
from tests.findings.test_store import CASE, violation
from tests.web.test_api import fits


class Hook(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    took: ClassVar[list[tuple[HttpHeaders, bytes]]] = []
    code: ClassVar[int] = 204

    def do_POST(self) -> None:
        """Answer with ``code``."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.took.append((self.headers, body))
        self.send_response(self.code)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_given: Any) -> None:
        """Say nothing."""


class Post(socketserver.StreamRequestHandler):
    """As much of SMTP as one mail needs."""

    took: ClassVar[list[str]] = []

    def handle(self) -> None:
        """Take mails until QUIT."""
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline().decode().strip().upper():
            if line == "DATA":
                self.wfile.write(b"354 go on\r\n")
                text = ""
                while (part := self.rfile.readline().decode()) != ".\r\n":
                    text += part
                self.took.append(text)
            self.wfile.write(b"221 bye\r\n" if line == "QUIT" else b"250 ok\r\n")
            if line == "QUIT":
                return


@pytest.fixture
def hook() -> Iterator[str]:
    """The address of a webhook."""
    Hook.took.clear()
    Hook.code = 204
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/secret-path"
        server.shutdown()


@pytest.fixture
def post() -> Iterator[str]:
    """The address of a mail server."""
    Post.took.clear()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Post) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"smtp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def findings(tmp_path: Path) -> Iterator[Store]:
    """A database with two findings."""
    with Store.open(str(tmp_path / "told.db")) as store:
        store.record(CASE, violation("C6 one"), "")
        store.record(CASE, violation("D1 two", "D1"), "")
        yield store


def told(store: Store, *options: str) -> Any:
    """What ``notify --once`` does."""
    database = ("--database", store.engine.url.render_as_string())
    return command("notify", "--once", "--settle", "0", *options, *database)


def test_a_webhook_is_told_once_and_signed(findings: Store, hook: str) -> None:
    options = ("--webhook", hook, "--secret", "s", "--page", "https://fuzz.example.org/")
    said = told(findings, *options)
    assert (said.code, said.out) == (0, "told http://127.0.0.1 of 2 findings\n")
    assert told(findings, *options).out == ""
    ((headers, body),) = Hook.took
    digest = hmac.new(b"s", body, hashlib.sha256).hexdigest()
    assert headers["X-Stage2fuzz-Signature"] == f"sha256={digest}"
    message = json.loads(body)
    assert [each["oracle"] for each in message["findings"]] == ["C6", "D1"]
    assert message["subject"] == "stage2fuzz: 2 new findings (C6 D1)"
    assert "https://fuzz.example.org/findings/2" in message["text"]


def test_a_message_has_the_published_form(client: Any, findings: Store, hook: str) -> None:
    assert told(findings, "--webhook", hook).code == 0
    schema = client.get("/api/schema").json()
    fits(json.loads(Hook.took[0][1]), schema["$defs"]["message"], schema)


def test_a_mail_names_what_to_type(findings: Store, post: str) -> None:
    options = ("--mail", "you@example.org", "--smtp", post, "--sender", "us@example.org")
    said = told(findings, *options)
    assert said.out == "told you@example.org of 2 findings\n", said
    (text,) = Post.took
    mail = message_from_string(text, _class=EmailMessage, policy=default)
    assert (mail["To"], mail["Auto-Submitted"]) == ("you@example.org", "auto-generated")
    assert "report 1\r\n" in mail.get_content()


@pytest.mark.parametrize("code", [302, 500])
def test_what_was_not_taken_is_told_the_next_time(findings: Store, hook: str, code: int) -> None:
    Hook.code = code
    assert "did not take the message" in told(findings, "--webhook", hook).refused()
    assert len(Hook.took) == 1, "nobody is followed elsewhere"
    Hook.code = 200
    assert "of 2 findings" in told(findings, "--webhook", hook).out


def test_who_can_not_be_told_keeps_nobody_from_it(findings: Store, hook: str, post: str) -> None:
    Hook.code = 500
    mails = ("--mail", "one@example.org", "--mail", "two@example.org", "--smtp", post)
    said = told(findings, "--webhook", hook, *mails)
    assert (said.code, len(Post.took)) == (2, 2)
    assert "did not take the message" in said.err
    assert said.out == "told one@example.org of 2 findings\ntold two@example.org of 2 findings\n"


def test_a_database_that_fails_is_tried_again(findings: Store) -> None:
    notifier = Notifier(findings, Sink(), Brakes(settle=0.0), "", "stage2fuzz")
    with findings.engine.begin() as connection:
        connection.execute(text("ALTER TABLE finding_notice RENAME TO elsewhere"))
    with pytest.raises(InputError, match="the database failed"):
        notifier.tell()
    with findings.engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO finding_notice"))
    assert notifier.tell() == (2, 0.0)


def test_known_faults_other_categories_and_closed_findings_are_no_news(
    findings: Store, hook: str
) -> None:
    findings.triage(1, State.INVALID, note="no fault")
    assert told(findings, "--webhook", hook, "--category", "economy").out == ""
    assert "of 1 finding\n" in told(findings, "--webhook", hook).out


class Sink:
    """A courier that keeps messages."""

    channel = name = "sink"

    def __init__(self) -> None:
        self.took: list[Message] = []

    def send(self, message: Message) -> None:
        """Keep it."""
        self.took.append(message)


def test_the_brakes_hold_and_nothing_is_lost(findings: Store) -> None:
    sink = Sink()
    notifier = Notifier(findings, sink, Brakes(most=2, settle=0.0), "", "stage2fuzz")
    assert Notifier(findings, sink, Brakes(), "", "stage2fuzz").tell() == (0, 0.0)
    assert notifier.tell() == (2, 0.0)
    for number in range(30):
        findings.record(CASE, violation(f"C1 {number}"), "")
    assert notifier.tell() == (30, 0.0)
    assert (len(sink.took[1].findings), sink.took[1].more) == (20, 10)
    findings.record(CASE, violation("A1 late"), "")
    told, wait = notifier.tell()
    assert told == 0
    assert 3000 < wait <= 3600
    more = Notifier(findings, sink, Brakes(most=3, settle=0.0), "", "stage2fuzz")
    assert more.tell() == (1, 0.0)


def test_opening_a_finding_again_and_again_lets_no_brake_go(findings: Store) -> None:
    sink = Sink()
    notifier = Notifier(findings, sink, Brakes(most=3, settle=0.0), "", "stage2fuzz")
    for _ in range(9):
        notifier.tell()
        findings.triage(1, State.FIXED, fixed_in=CASE.engine)
        findings.record(CASE, violation("C6 one"), "")
    assert len(sink.took) == 3
    told, wait = notifier.tell()
    assert told == 0
    assert 3000 < wait <= 3600


def test_a_server_that_never_answers_holds_neither_the_database_nor_the_others(
    findings: Store,
) -> None:
    class Slow(Sink):
        channel = name = "slow"

        def __init__(self) -> None:
            super().__init__()
            self.begun, self.end = threading.Event(), threading.Event()

        def send(self, _message: Message) -> None:
            self.begun.set()
            assert self.end.wait(30)

    slow, sink = Slow(), Sink()
    late = PunctualCourier(slow, 0.3)
    stuck, other = (
        Notifier(findings, each, Brakes(settle=0.0), "", "stage2fuzz") for each in (late, sink)
    )
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(stuck.tell)
        assert slow.begun.wait(10)
        findings.record(CASE, violation("C1 meanwhile"), "")
        assert other.tell() == (3, 0.0)
        with pytest.raises(InputError, match=r"did not take the message in 0\.3 s"):
            waiting.result()
    with pytest.raises(InputError, match="still sits on the last message"):
        stuck.tell()
    slow.end.set()


def test_a_finding_that_is_open_again_is_news_again(findings: Store) -> None:
    sink = Sink()
    notifier = Notifier(findings, sink, Brakes(settle=0.0), "", "stage2fuzz")
    notifier.tell()
    findings.triage(1, State.FIXED, fixed_in=CASE.engine)
    findings.record(CASE, violation("C6 one"), "")
    assert notifier.tell() == (1, 0.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "nobody is to be told"),
        (("--webhook", "ftp://host/x"), "is no address"),
        (("--webhook", "http://[h/x"), "is no address"),
        (("--webhook", "http://h:x/"), "is no address"),
        (("--webhook", "http://me:secret@h/"), "is no address"),
        (("--mail", "nobody"), "is no address"),
        (("--mail", "a@b.c,d@e.f"), "is no address"),
        (("--mail", "a@b.c", "--smtp", "smtp://[h"), "no address of a mail server"),
        (("--mail", "a@b.c", "--smtp", "smtp://me:secret@h"), "a password in the clear"),
        (("--mail", "a@b.c", "--smtp", "mail.example.org"), "no address of a mail server"),
        (("--mail", "a@b.c", "--smtp", "smtp://127.0.0.1:1"), "did not take the mail"),
        (("--webhook", "http://127.0.0.1:1/"), "did not take the message"),
        (("--webhook", "http://h/", "--category", "grave"), "no category"),
    ],
)
def test_what_can_not_be_told_is_one_line(
    findings: Store, options: tuple[str, ...], words: str
) -> None:
    line = told(findings, *options).refused()
    assert words in line
    assert "secret" not in line
