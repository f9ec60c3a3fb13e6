"""What programs are told has the published form."""

from typing import Any
from xml.etree import ElementTree

from starlette.testclient import TestClient

from stage2fuzz.case.text import parse


def fits(record: Any, schema: dict[str, Any], whole: dict[str, Any]) -> None:
    """Hold a record against the part of JSON Schema that ours uses."""
    if "$ref" in schema:
        fits(record, whole["$defs"][schema["$ref"].rpartition("/")[2]], whole)
        return
    for each in schema.get("allOf", ()):
        fits(record, each, whole)
    if "enum" in schema:
        assert record in schema["enum"]
    kinds = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
    kinds["number"] = float
    kind = schema.get("type")
    if isinstance(kind, str):
        assert isinstance(record, kinds[kind]), (record, schema)
    if isinstance(record, dict):
        assert set(schema.get("required", ())) <= record.keys()
        for name, part in schema.get("properties", {}).items():
            if name in record:
                fits(record[name], part, whole)
    if isinstance(record, list):
        for each in record:
            fits(each, schema["items"], whole)


def test_the_answers_have_the_published_form(client: TestClient) -> None:
    schema = client.get("/api/schema").json()
    listed, whole = schema["oneOf"]
    fits(client.get("/api/findings").json(), listed, schema)
    for number in (1, 2):
        record = client.get(f"/api/findings/{number}").json()
        fits(record, whole, schema)
        known = {
            **schema["$defs"]["finding"]["properties"],
            **schema["$defs"]["whole"]["properties"],
        }
        assert record.keys() <= known.keys(), "the schema names every field"
        assert parse(record["case"], "answer").engine == record["engine"]


def test_the_feed_is_atom_with_an_entry_a_finding(client: TestClient) -> None:
    space = "{http://www.w3.org/2005/Atom}"
    root = ElementTree.fromstring(client.get("/feed.atom").text)
    assert root.tag == f"{space}feed"
    links = [str(each.get("href")) for each in root.iterfind(f"{space}entry/{space}link")]
    assert sorted(link.rpartition("/")[2] for link in links) == ["1", "2"]


def test_there_are_no_campaigns_and_no_workers_yet(client: TestClient) -> None:
    assert client.get("/api/campaigns").json() == {"campaigns": []}
    assert client.get("/api/workers").json() == {"workers": []}
    assert client.get("/healthz").json()["findings"] == 2
