"""A database with findings, and the application on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from stage2fuzz.case.text import read_case
from stage2fuzz.findings.store import Store
from stage2fuzz.report import event_log
from stage2fuzz.run import run
from stage2fuzz.web.app import application

CORPUS = Path(__file__).parents[2] / "corpus"
RACE = CORPUS / "map_race" / "situation-1-late-loser.case"
NASTY = "<script>alert('&')</script>"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Two findings of one race; the second has a label that no page must take for its own text."""
    with Store.open(str(tmp_path / "findings.db")) as made:
        outcome = run(read_case(RACE))
        for violation in outcome.violations:
            made.record(outcome.case, violation, event_log(outcome.events))
        made.triage(2, note=NASTY, label=NASTY, owner="me")
        yield made


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    """A visitor on this machine."""
    app = application(store, hosts=("testserver",))
    with TestClient(app, follow_redirects=False) as visitor:
        yield visitor


@pytest.fixture
def stranger(store: Store) -> Iterator[TestClient]:
    """A visitor who has to know the token ``a long enough token``."""
    app = application(store, "a long enough token")
    with TestClient(app, follow_redirects=False) as visitor:
        yield visitor
