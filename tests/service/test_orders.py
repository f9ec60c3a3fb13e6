"""Orders survive the way through JSON, and nothing else gets through."""

import json
import math
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2fuzz.errors import InputError
from stage2fuzz.service import orders
from stage2fuzz.service.orders import JsonRecord, read_order, read_result, read_spec, to_json

DIGEST = "ab" * 32
ORDERS: tuple[JsonRecord, ...] = (
    orders.FuzzOrder(3, "model:v5.10", "map_race", 20, 7, (DIGEST,)),
    orders.ConfirmOrder(1, "C6/page", "case\n"),
    orders.RealOrder(1, "C6/page", "case\n"),
    orders.MinimiseOrder(1, "C6/page", "case\n"),
    orders.RegressOrder(1, "C6/page", "case\n", ("kernel:linux-6.2",)),
    orders.PruneOrder("model:v5.10", "map_race", (DIGEST,)),
)
RESULTS: tuple[JsonRecord, ...] = (
    orders.FuzzResult(10, 1.5, ended="crash"),
    orders.ConfirmResult(3, 3, True),
    orders.MinimiseResult("case\n", 40),
    orders.RegressResult(("model:v5.10",), ("model:v5.11",)),
    orders.RealResult("6.12.117", "confirmed", 3),
    orders.PruneResult(1, (DIGEST,)),
    orders.Failure("the process died 3 times"),
)
SPEC = orders.CampaignSpec("night", ("model:v5.10",), ("map_race",), regress=("model:v5.11",))
SAMPLES = (SPEC, *ORDERS, *RESULTS)


def read(record: JsonRecord, text: str) -> JsonRecord:
    """Read a text as what ``record`` is: a spec, an order or a result."""
    if record is SPEC:
        return read_spec(text)
    return read_order(text) if record in ORDERS else read_result(text)


def test_every_record_has_a_sample() -> None:
    assert {type(each) for each in ORDERS} == set(get_args(orders.Order)) == set(orders.NAMES)
    assert {type(each) for each in RESULTS} == set(get_args(orders.Result))


@pytest.mark.parametrize("record", SAMPLES, ids=lambda record: type(record).__name__)
def test_a_record_survives_json(record: JsonRecord) -> None:
    text = to_json(record)
    assert "\n" not in text
    assert read(record, text) == record


@pytest.mark.parametrize("record", SAMPLES, ids=lambda record: type(record).__name__)
def test_each_field_is_typed_and_those_without_default_are_needed(record: JsonRecord) -> None:
    for entry in msgspec.structs.fields(record):
        raw = json.loads(to_json(record))
        raw.pop(entry.name)
        if entry.required:
            with pytest.raises(InputError, match=f"missing required field `{entry.name}`"):
                read(record, json.dumps(raw))
        else:
            assert getattr(read(record, json.dumps(raw)), entry.name) == entry.default
        with pytest.raises(InputError):
            read(record, json.dumps(raw | {entry.name: {"not": "this"}}))
    with pytest.raises(InputError, match="unknown field `more`"):
        read(record, json.dumps(json.loads(to_json(record)) | {"more": 1}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("engine", "model:v5.10; rm -rf /"),
        ("engine", "model:v5.10\n"),
        ("engine", "kernel:a/../../etc"),
        ("engine", "os.system"),
        ("target", "../../etc/passwd"),
        ("target", "map_race.py"),
        ("seconds", 0),
        ("seconds", True),
        ("seconds", 10**9),
        ("seeds", ["../x"]),
        ("seeds", [DIGEST] * (orders.MAX_SEEDS + 1)),
        ("seed", -1),
        ("number", 10**30),
    ],
)
def test_a_fuzz_order_with_a_bad_field_is_refused(field: str, value: object) -> None:
    raw = json.loads(to_json(ORDERS[0])) | {field: value}
    with pytest.raises(InputError, match=field):
        read_order(json.dumps(raw))


@pytest.mark.parametrize(
    ("schedules", "seconds"),
    [(-1, 1.0), (10**30, 1.0), (1 << 41, 1.0), (1, math.nan), (1, math.inf), (1, -0.5), (1, 1e9)],
)
def test_figures_that_no_order_can_have_are_neither_written_nor_read(
    schedules: int, seconds: float
) -> None:
    result = orders.FuzzResult(schedules, seconds)
    with pytest.raises(InputError, match=r"^(schedules|seconds): "):
        to_json(result)
    raw = json.loads(to_json(orders.FuzzResult(1, 1.0)))
    with pytest.raises(InputError):
        read_result(json.dumps(raw | {"schedules": schedules, "seconds": seconds}))


def test_more_hits_than_attempts_are_refused() -> None:
    raw = json.loads(to_json(orders.ConfirmResult(3, 3, True)))
    with pytest.raises(InputError, match="4 hits of 3 attempts"):
        read_result(json.dumps(raw | {"hits": 4}))


def test_a_reason_from_outside_becomes_one_printable_line() -> None:
    failure = orders.Failure.because("it said\n\x1b[31mred\x00" + "x" * 9000)
    assert failure.what.startswith("it said  [31mred x")
    assert len(failure.what) == orders.MAX_LINE
    to_json(failure)


def test_a_result_is_no_order() -> None:
    with pytest.raises(InputError, match="is: "):
        read_order(to_json(RESULTS[0]))


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_other_text_is_one_clear_line(text: str) -> None:
    for reader in (read_spec, read_order, read_result):
        with pytest.raises(InputError) as caught:
            reader(text)
        assert "\n" not in str(caught.value)
