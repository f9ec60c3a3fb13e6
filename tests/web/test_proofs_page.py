"""What was proved is on the page and in the API: by tree, and beside each finding."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case, read_case
from stage2fuzz.cli.kept_proofs import brief
from stage2fuzz.findings.proofs import ProofNote, keep_proof
from stage2fuzz.findings.store import Store
from stage2fuzz.prove.ground import GROUND
from tests.cli.terminal import command
from tests.web.conftest import RACE
from tests.web.test_api import fits

SCENARIO = read_case(RACE).scenario
STATEMENT = "Sequentially consistent: all interleavings <lead> to 5 configurations."


def note(engine: str, knowledge: str, *signatures: str, name: str = "r/w page lazy -") -> ProofNote:
    """A proof of the race's scenario."""
    bounds, not_seen = (
        ("at most 2 preemptions", ["the rest"]) if knowledge == "bounded" else ("", [])
    )
    return ProofNote(
        engine, "", name, SCENARIO, bounds, knowledge, STATEMENT, not_seen, signatures, 5, 2, 0.25
    )


@pytest.fixture
def proved(store: Store) -> Store:
    """The race refuted on one revision, proved on the next, and bounded on a third."""
    signature = store.get(1).signature
    keep_proof(store.engine, note("model:v5.10", "refuted", signature))
    keep_proof(store.engine, note("model:v5.12", "inconclusive"))
    keep_proof(store.engine, note("model:v5.12", "proved"))
    keep_proof(store.engine, note("model:v6.1", "bounded"))
    return store


def test_a_table_says_how_much_is_known_of_each_tree(client: TestClient, proved: Store) -> None:
    trees = client.get("/api/proofs").json()["trees"]
    assert [(each["engine"], each["proved"], each["refuted"]) for each in trees] == [
        ("model:v5.10", 0, 1),
        ("model:v5.12", 1, 0),
        ("model:v6.1", 0, 0),
    ], "the newer proof of a scenario stands in place of the older"
    text = client.get("/proofs", params={"engine": "model:v5.10", "build": ""}).text
    assert "r/w page lazy -" in text
    assert '<a href="/findings/1">#1</a>' in text
    assert "&lt;lead&gt; to 5 configurations" in text
    text = client.get("/proofs", params={"engine": "model:v6.1", "build": ""}).text
    assert "(at most 2 preemptions)" in text and "not seen: the rest" in text


def test_a_finding_has_its_proof_and_what_is_known_of_it_elsewhere(
    client: TestClient, proved: Store
) -> None:
    text = " ".join(client.get("/findings/1").text.split())
    rows = text.partition("<h3>Proofs</h3>")[2].partition("<h3>History</h3>")[0].split("<tr>")[2:]
    told = [(row.split("</td>")[0][-11:], row.split("<td>")[1].split("</td>")[0]) for row in rows]
    assert told == [("model:v5.10", "shown"), ("model:v5.12", "absent"), (">model:v6.1", "not met")]
    whole = client.get("/api/findings/1").json()
    schema = client.get("/api/schema").json()
    assert len(whole["proofs"]) == 3
    fits(whole["proofs"], {"type": "array", "items": {"$ref": "#/$defs/proof"}}, schema)


def test_what_nobody_proved_says_how_to(client: TestClient, store: Store) -> None:
    assert "prove 1</code>" in client.get("/findings/1").text
    assert "Nothing was proved yet" in client.get("/proofs").text
    assert "Nothing was proved of nobody" in client.get("/proofs?engine=nobody").text


@pytest.fixture
def aged(tmp_path: Path) -> Path:
    """A scenario that is searched whole in a moment."""
    path = tmp_path / "case/aged.case"
    path.parent.mkdir()
    path.write_text(format_case(Case("model:v5.12", GROUND["r, age"])))
    return path


def test_prove_keeps_what_it_says_where_a_database_is_named(
    client: Any, store: Store, aged: Path
) -> None:
    database = ("--database", store.engine.url.render_as_string())
    said = command("prove", aged, "--json", "--preemptions", "0", *database)
    assert said.code == 3, said
    (proof,) = client.get("/api/proofs?engine=model:v5.12").json()["proofs"]
    assert (proof["knowledge"], proof["bounds"]) == ("bounded", "at most 0 preemptions")
    (told,) = json.loads(said.out)["scenarios"]
    assert (proof["statement"], proof["not_seen"]) == (told["statement"], told["not_seen"])
    assert proof["name"] == brief(GROUND["r, age"])
    assert proof["name"].endswith("vcpu 0: read 0, read 0; host 0: age 0")


def test_prove_leaves_no_database_where_nobody_named_one(
    aged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(aged.parent)
    assert command("prove", aged, "--json", "--preemptions", "0").code == 3
    assert list(aged.parent.iterdir()) == [aged]
