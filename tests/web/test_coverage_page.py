"""What was covered: features by campaign, and lines of the user's tree."""

import os
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from stage2fuzz.case.text import parse, read_case
from stage2fuzz.findings.store import Store
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.source import SourceLine
from stage2fuzz.web import app
from stage2fuzz.web.coverage import by_file, cases_for, to_record
from tests.findings.test_store import violation
from tests.web.conftest import RACE

TREE = "STAGE2FUZZ_KERNEL_TREE"
LINES = [
    (SourceLine("map", "mmu.c", 7), True),
    (SourceLine("map", "mmu.c", 9), False),
    (SourceLine("inlined", "mmu.c", 9), True),
    (SourceLine("walk", "hyp/pgtable.c", 3), False),
]


def test_a_line_was_run_if_any_of_its_blocks_was() -> None:
    pgtable, mmu = by_file(LINES)
    assert (pgtable.file, pgtable.run, len(pgtable.lines)) == ("hyp/pgtable.c", 0, 1)
    assert mmu.lines == {7: True, 9: True}
    assert mmu.rows() == [("map", 7, 1, 2), ("inlined", 9, 1, 1)]
    files = to_record("kernel:tree", 3, [pgtable, mmu])["files"]
    assert [each["not_run"] for each in files] == [[3], []]


def test_seeds_and_findings_are_run_as_cases_of_that_engine(store: Store) -> None:
    cases = [parse(each, "case") for each in cases_for(store, "model:v5.10")]
    assert len(cases) > 20
    assert {each.engine for each in cases} == {"model:v5.10"}
    assert read_case(RACE) in cases


def test_a_case_that_takes_its_process_down_is_not_run_for_its_lines(store: Store) -> None:
    before = cases_for(store, "model:v5.10")
    fatal = replace(read_case(RACE), schedule=Schedule(((1, 3), (0, 9))))
    store.record(fatal, violation("CRASH here", "CRASH"), "")
    assert cases_for(store, "model:v5.10") == before
    store.record(fatal, violation("C1 here", "C1"), "")
    assert len(cases_for(store, "model:v5.10")) == len(before) + 1


def test_lines_are_counted_anew_when_a_campaign_has_found_more(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, features, counted = "kernel:/a/tree", [1], []
    stream = ("night", engine, "map_race")
    monkeypatch.setattr(app, "features_by_stream", lambda _engine: [(*stream, features[0])])

    def count(*_given: object) -> tuple[int, list[object]]:
        counted.append(1)
        return 1, []

    monkeypatch.setattr(app, "lines_of", count)
    for features[0] in (1, 1, 2):
        assert client.get("/api/coverage", params={"engine": engine}).status_code == 200
    assert len(counted) == 2


def test_a_page_compiles_no_tree_that_a_visitor_names(client: TestClient) -> None:
    text = client.get("/coverage").text
    assert "No finding and no campaign is of a compiled tree" in text
    for path in ("/coverage/lines", "/api/coverage"):
        answer = client.get(path, params={"engine": "kernel:/tmp"})
        assert answer.status_code == 404
        assert "there is none of that name here" in answer.text


def test_the_lines_of_a_tree_are_shown(client: TestClient, store: Store) -> None:
    tree = os.environ.get(TREE)
    if not tree:
        pytest.skip(f"needs a Linux tree: set {TREE} to its path")
    engine = f"kernel:{tree}"
    store.record(replace(read_case(RACE), engine=engine), violation(), "")
    assert engine in client.get("/coverage").text
    record = client.get("/api/coverage", params={"engine": engine}).json()
    files = {each["file"].rpartition("/")[2]: each for each in record["files"]}
    for name in ("mmu.c", "pgtable.c"):
        assert 0 < files[name]["run"] < files[name]["lines"]
    text = client.get("/coverage/lines", params={"engine": engine}).text
    assert "user_mem_abort" in text
    assert 'class="run-line"' in text
    assert 'class="missed"' in text
