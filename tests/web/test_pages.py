"""What the pages show, and to whom."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from stage2fuzz.case.scenario import Scenario
from stage2fuzz.case.text import read_case
from stage2fuzz.findings.store import Store
from stage2fuzz.run import run
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.session.case_asker import CaseAsker
from stage2fuzz.source import SourceLine
from stage2fuzz.web.excerpt import edition_of, excerpt_of
from stage2fuzz.web.runner import Runner
from tests.web.conftest import NASTY, RACE

PAGES = (
    "/",
    "/findings",
    "/findings/1",
    "/findings/1?case=raw",
    "/rules",
    "/rules/C6",
    "/rules/H1",
)


class Outline(HTMLParser):
    """The tags of a page, and what its form fields are called."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep each tag."""
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each such tag."""
        return [attributes for name, attributes in self.tags if name == tag]


def outline(text: str) -> Outline:
    read = Outline()
    read.feed(text)
    return read


@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_be_read_without_eyes_and_loads_nothing_foreign(
    client: TestClient, path: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    page = outline(answer.text)
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == len(page.all("main")) == 1
    assert all(each.get("alt") for each in page.all("img"))
    assert all(each.get("scope") for each in page.all("th"))
    for each in (*page.all("link"), *page.all("script"), *page.all("img")):
        assert str(each.get("href") or each.get("src")).startswith("/")
    assert not re.search(r"\son\w+=|\sstyle=", answer.text), "the policy forbids inline code"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_finding_shows_its_steps_its_verdict_and_the_command(client: TestClient) -> None:
    text = client.get("/findings/1").text
    assert "stage2fuzz replay 1" in text
    assert "permission vCPU 0 was given is gone" in text
    page = outline(text)
    rows = [each for each in page.all("tr") if str(each.get("id")).startswith("step-")]
    assert len(rows) > 10
    assert any("proof" in str(each.get("class")) for each in rows)


def test_a_step_says_what_it_writes_and_what_tlbs_may_still_hold(client: TestClient) -> None:
    text = client.get("/findings/1").text
    step = text.partition('<tr id="step-54"')[2].partition("</details>")[0]
    assert '<th scope="row">S2AP</th><td>both</td><td>-</td>' in step
    assert "the TLB of vCPU 0 may still hold:</b> L3 0x40000000: page 0x1000000000 rw- AF" in step


def test_both_runs_stand_side_by_side(client: TestClient, store: Store) -> None:
    store.attach_minimised(1, read_case(RACE))
    text = client.get("/findings/1", params={"case": "both"}).text
    page = outline(text)
    assert [each.get("class") for each in page.all("table")].count("run") == 2
    names = [str(each["id"]) for each in page.all("tr") if each.get("id")]
    assert len(names) == len(set(names))
    assert "as it was found: 112 events" in text
    assert "minimised: 112 events" in text


def test_other_examples_are_linked_and_can_be_taken_along(client: TestClient, store: Store) -> None:
    case, finding = read_case(RACE), store.get(1)
    (fault,) = (each for each in run(case).violations if each.signature == finding.signature)
    other = replace(case, schedule=Schedule(((1, 60), (0, 500))))
    store.record(replace(other, scenario=Scenario(vcpus=case.scenario.vcpus * 2)), fault, "")
    assert ">example 1</a>" in client.get("/findings/1").text
    assert "example 1: " in client.get("/findings/1?case=1").text
    assert client.get("/findings/1/example-1.case").text.startswith("stage2fuzz case 1")
    assert len(client.get("/api/findings/1").json()["examples"]) == 1


def test_lines_of_the_tree_are_shown_and_nothing_outside_it(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/mmu.c").write_text("".join(f"line {n}\n" for n in range(1, 30)))
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "tree/endless.c").write_text("x" * ((4 << 20) + 1))
    excerpt = excerpt_of(f"kernel:{tmp_path / 'tree'}")
    lines = excerpt(SourceLine("f", "mmu.c", 3))
    assert lines[0] == (1, "line 1")
    assert lines[-1] == (7, "line 7")
    for file in ("../secret", str(tmp_path / "secret"), "none.c", ".", "endless.c"):
        assert not excerpt(SourceLine("f", file, 1))
    assert not excerpt_of("model:v5.10")(SourceLine("f", "mmu.c", 3))


def test_an_edited_tree_is_shown_and_run_as_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tree/arch/arm64/kvm"
    folder.mkdir(parents=True)
    (folder / "gone.c").symlink_to("nowhere")
    (folder / "mmu.c").write_text("as it was\n")
    engine, place = f"kernel:{tmp_path / 'tree'}", SourceLine("f", "arch/arm64/kvm/mmu.c", 1)
    case, renewed = replace(read_case(RACE), engine=engine), []
    outcome = run(read_case(RACE))
    monkeypatch.setattr(CaseAsker, "ask", lambda *_: outcome)
    monkeypatch.setattr(CaseAsker, "renew", lambda _: renewed.append(1))
    runner = Runner()
    for _ in range(2):
        runner.run(case)
    assert excerpt_of(engine)(place) == ((1, "as it was"),)
    assert not renewed
    before = edition_of(engine)
    (folder / "mmu.c").write_text("as it is now\n")
    assert excerpt_of(engine)(place) == ((1, "as it is now"),)
    assert edition_of(engine) != before
    for _ in range(2):
        runner.run(case)
    assert renewed == [1], "the process that had opened the old one is not asked again"
    runner.close()


def test_faces_of_one_cause_stand_in_one_row(client: TestClient) -> None:
    text = client.get("/findings").text
    assert "2 findings of 1 cause</p>" in text
    assert "known: needless break-before-make" in text
    text = client.get("/findings", params={"show": "findings"}).text
    assert "2 findings</p>" in text
    assert "permission vCPU 0 was given is gone" in text


def test_what_strangers_wrote_is_text(client: TestClient) -> None:
    for path in ("/", "/findings", "/findings/2"):
        text = client.get(path).text
        assert NASTY not in text
        assert "&lt;script&gt;" in text


def test_the_list_can_be_narrowed(client: TestClient) -> None:
    assert len(client.get("/api/findings").json()["findings"]) == 2
    found = client.get("/api/findings", params={"category": "correctness"}).json()["findings"]
    assert [each["oracle"] for each in found] == ["C6"]
    assert client.get("/api/findings", params={"q": "nothing like it"}).json() == {"findings": []}
    assert "0 findings" in client.get("/findings", params={"state": "invalid"}).text


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("fault.case", "stage2fuzz case 1"),
        ("first.case", "stage2fuzz case 1"),
        ("report.txt", "Subject: "),
        ("report.html", "<!doctype html>"),
        ("report.svg", "<svg"),
        ("report.sarif", "{"),
        ("report.xml", "<?xml"),
    ],
)
def test_a_finding_can_be_taken_along(client: TestClient, name: str, begin: str) -> None:
    answer = client.get(f"/findings/1/{name}")
    assert answer.status_code == 200
    assert answer.text.startswith(begin)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert (
        client.get("/findings/1/fault.case").headers["content-disposition"]
        != (client.get("/findings/1/first.case").headers["content-disposition"])
    )


@pytest.mark.parametrize(
    "path", ["/findings/77", "/campaigns/nobody", "/api/findings/77", "/rules/Z9"]
)
def test_what_is_not_there_is_told_in_one_line(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "there is n" in answer.text


def word_of(client: TestClient) -> str:
    fields = outline(client.get("/findings/1").text).all("input")
    return str(next(each["value"] for each in fields if each.get("name") == "word"))


def test_a_decision_is_kept(client: TestClient, store: Store) -> None:
    form = {"word": word_of(client), "state": "invalid", "note": "no fault", "owner": "you"}
    assert client.post("/findings/1/triage", data=form).status_code == 303
    kept = store.get(1)
    assert (str(kept.state), kept.owner, kept.notes[-1].text) == (
        "invalid",
        "you",
        "owner you; no fault",
    )


def test_a_forged_form_changes_nothing(client: TestClient, store: Store) -> None:
    form = {"word": word_of(client), "state": "invalid"}
    evil = {"origin": "http://evil.example"}
    assert client.post("/findings/1/triage", data=form, headers=evil).status_code == 403
    assert client.post("/findings/1/triage", data=form | {"word": "x"}).status_code == 403
    other = {"sec-fetch-site": "cross-site"}
    assert client.post("/findings/1/triage", data=form, headers=other).status_code == 403
    assert str(store.get(1).state) == "new"


def test_another_name_for_this_machine_is_not_answered(client: TestClient) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 421


def test_a_stranger_needs_the_token(stranger: TestClient) -> None:
    assert stranger.get("/").headers["location"] == "/login"
    assert stranger.get("/api/findings").status_code == 401
    assert stranger.get("/feed.atom").status_code == 401
    assert stranger.get("/static/style.css").status_code == 200
    assert stranger.post("/login", data={"token": "a guess"}).status_code == 403
    assert stranger.get("/").status_code == 303
    answer = stranger.post("/login", data={"token": "a long enough token"})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "a long enough token" not in cookie
    assert stranger.get("/").status_code == 200


def test_a_program_shows_the_token_with_each_question(stranger: TestClient) -> None:
    good = {"authorization": "Bearer a long enough token"}
    assert stranger.get("/api/findings", headers=good).status_code == 200
    bad = {"authorization": "Bearer another token"}
    assert stranger.get("/api/findings", headers=bad).status_code == 401
