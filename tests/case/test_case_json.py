"""A case in JSON says what its text says, fits the published schema, and is refused as it is."""

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # comes with mcp
import pytest

from stage2fuzz.case.json_form import SCHEMA, from_json, to_json
from stage2fuzz.case.text import format_case, parse, read_case
from stage2fuzz.errors import InputError
from tests.cli.terminal import command

ROOT = Path(__file__).parents[2]
CASES = [
    *sorted((ROOT / "tests/cases").glob("*.case")),
    *sorted((ROOT / "corpus/hypercalls").glob("*.case"))[:6],
]
RACE = ROOT / "corpus/map_race/situation-1-late-loser.case"
PLAIN = to_json(read_case(RACE))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_comes_back_from_json_and_fits_the_schema(path: Path) -> None:
    case = read_case(path)
    record = to_json(case)
    jsonschema.validate(record, SCHEMA)
    assert format_case(from_json(json.dumps(record), "case")) == format_case(case)


def test_a_build_and_a_strange_engine_come_back_too() -> None:
    text = format_case(read_case(RACE)).replace(
        "engine model:v5.10", f'engine "kernel:/src/my tree"\nbuild {"0a" * 12}'
    )
    case = parse(text, "case")
    record = to_json(case)
    jsonschema.validate(record, SCHEMA)
    assert from_json(json.dumps(record), "case").engine == "kernel:/src/my tree"
    assert from_json(json.dumps(record), "case") == case


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "is no case in JSON"),
        ({"threads": 3}, "has no field 'threads'"),
        (dict.fromkeys("dbca", 3), "has no field 'a'"),
        ({"vcpus": [["write 0, read 1"]]}, "its field 'vcpus'"),
        ({"vcpus": [["write 0\nend"]]}, "its field 'vcpus'"),
        ({"vcpus": 3}, "its field 'vcpus'"),
        ({"vcpus": [["fly 0"]]}, "fly"),
        ({"schedule": [[0, -1]]}, "its field 'schedule'"),
        ({"schedule": [[0, True]]}, "its field 'schedule'"),
        ({"engine": 3}, "its field 'engine'"),
        ({"options": {"tlb": False}}, "its field 'options'"),
        ({"options": {"fly": True}}, "option"),
    ],
)
def test_what_is_no_case_is_one_line(change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        from_json(json.dumps(PLAIN | change), "case")


@pytest.mark.parametrize("text", ["", "[", "[]", "{", "3", "[" * 100_000])
def test_what_is_no_json_is_one_line(text: str) -> None:
    with pytest.raises(InputError):
        from_json(text, "case")


def test_a_json_case_is_taken_wherever_a_case_is(tmp_path: Path) -> None:
    path = tmp_path / "race.json"
    assert command("export", RACE, "--json", "--output", path).code == 0
    said = command("replay", path)
    assert said.code == 1
    assert "C6 a fault never downgrades" in said.out
