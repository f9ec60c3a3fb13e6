"""Orders survive the way through JSON, and nothing else gets through."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2fuzz.errors import InputError
from stage2fuzz.service import orders

DIGEST = "ab" * 32
SAMPLES: tuple[orders.Record, ...] = (
    orders.CampaignSpec("night", ("model:v5.10",), ("map_race",), regress=("model:v5.11",)),
    orders.FuzzOrder(3, "model:v5.10", "map_race", 20, 7, (DIGEST,)),
    orders.ConfirmOrder(1, "C6/page", "case\n"),
    orders.MinimiseOrder(1, "C6/page", "case\n"),
    orders.RegressOrder(1, "C6/page", "case\n", ("kernel:linux-6.2",)),
    orders.PruneOrder("model:v5.10", "map_race", (DIGEST,)),
    orders.FuzzResult(10, 1.5, ended="crash"),
    orders.ConfirmResult(3, 3, True),
    orders.MinimiseResult("case\n", 40),
    orders.RegressResult(("model:v5.10",), ("model:v5.11",)),
    orders.PruneResult(1, (DIGEST,)),
    orders.Failure("the process died 3 times"),
)


def test_every_record_has_a_sample() -> None:
    assert {type(sample) for sample in SAMPLES} == set(orders.KINDS.values())


@pytest.mark.parametrize("record", SAMPLES, ids=lambda record: orders.NAMES[type(record)])
def test_a_record_survives_json(record: orders.Record) -> None:
    record.check()
    text = orders.to_json(record)
    assert "\n" not in text
    assert orders.from_json(text) == record
    assert orders.from_json(text, orders.NAMES[type(record)]) == record


@pytest.mark.parametrize("record", SAMPLES, ids=lambda record: orders.NAMES[type(record)])
def test_each_field_is_needed_and_typed(record: orders.Record) -> None:
    for entry in dataclasses.fields(record):
        raw = json.loads(orders.to_json(record))
        raw.pop(entry.name)
        with pytest.raises(InputError, match=f"has no {entry.name}"):
            orders.from_json(json.dumps(raw))
        with pytest.raises(InputError):
            orders.from_json(json.dumps(raw | {entry.name: {"not": "this"}}))
    with pytest.raises(InputError, match="unknown field 'more'"):
        orders.from_json(json.dumps(json.loads(orders.to_json(record)) | {"more": 1}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("engine", "model:v5.10; rm -rf /"),
        ("engine", "python:os"),
        ("target", "../../etc/passwd"),
        ("target", "map_race.py"),
        ("seconds", 0),
        ("seconds", True),
        ("seconds", 10**9),
        ("seeds", ["../x"]),
        ("seeds", [DIGEST] * (orders.MAX_SEEDS + 1)),
        ("seed", -1),
    ],
)
def test_a_fuzz_order_with_a_bad_field_is_refused(field: str, value: object) -> None:
    raw = json.loads(orders.to_json(SAMPLES[1])) | {field: value}
    with pytest.raises(InputError):
        orders.from_json(json.dumps(raw))


def test_a_result_is_no_order() -> None:
    with pytest.raises(InputError, match="one of fuzz"):
        orders.from_json(orders.to_json(SAMPLES[6]), "fuzz")


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_other_text_is_one_clear_line(text: str) -> None:
    with pytest.raises(InputError) as caught:
        orders.from_json(text)
    assert "\n" not in str(caught.value)
