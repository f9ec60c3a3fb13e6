"""The compiled oracles say of every run what their Python says, or leave it to Python."""

import shutil
from pathlib import Path
from types import FunctionType

import pytest

from stage2fuzz.case.text import read_case
from stage2fuzz.engine import engine_of
from stage2fuzz.errors import ModelError
from stage2fuzz.events import CRASH, RESUME, Event
from stage2fuzz.oracles.catalogue import ORACLES
from stage2fuzz.oracles.handlers import FIELDS
from stage2fuzz.oracles.judge import judge
from stage2fuzz.oracles.native import build
from stage2fuzz.oracles.native.binding import NativeJudge, Verdict, native_judge
from stage2fuzz.oracles.native.program import Function, Program
from stage2fuzz.oracles.native.statements import Statements
from stage2fuzz.oracles.native.translate import translate
from stage2fuzz.oracles.native.types import INT, UnsupportedError
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.rules import Rules
from stage2fuzz.run import run
from tests.oracles.story import Story

CASES = sorted((Path(__file__).parent.parent / "cases").glob("*.case"))
DEATH: Event = (CRASH, 0, 0, 0, 0, 11)


@pytest.fixture
def compiled() -> NativeJudge:
    found = native_judge()
    if found is None:
        pytest.skip("needs a C compiler")
    found.begin(0)
    found.scenario(Rules(), 1, 1)
    return found


def test_every_oracle_translates() -> None:
    text = translate().text
    for oracle in ORACLES:
        for name in FIELDS:
            python = getattr(oracle, name, None)
            if isinstance(python, FunctionType):
                module = python.__module__.rpartition(".")[2]
                called = f"{module}_{python.__qualname__.replace('.', '_')}((word)&o_"
                assert called in text, (oracle.__name__, name)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_golden_cases_get_the_same_verdict_natively(compiled: NativeJudge, case: Path) -> None:
    asked = read_case(case)
    outcome = run(asked)
    scenario = asked.scenario
    compiled.scenario(engine_of(asked.engine).rules, len(scenario.vcpus), scenario.threads)
    compiled.begin(0)
    verdict = compiled.judge(outcome.events)
    assert verdict is (Verdict.NEW if outcome.violations else Verdict.SILENT)
    compiled.check(outcome.violations)


def test_an_objection_is_new_once_and_counted_ever_after(compiled: NativeJudge) -> None:
    assert compiled.judge([DEATH]) is Verdict.NEW
    number = compiled.number
    assert [compiled.judge([DEATH]) for _ in range(3)] == [Verdict.KNOWN] * 3
    assert compiled.runs(number) == 4
    compiled.begin(0)
    assert compiled.judge([DEATH]) is Verdict.NEW


def test_what_was_worded_for_one_owner_is_new_to_another(compiled: NativeJudge) -> None:
    for owner in ("one", "other"):
        compiled.belong(owner)
        assert compiled.judge([DEATH]) is Verdict.NEW
        compiled.belong(owner)
        assert compiled.judge([DEATH]) is Verdict.KNOWN


def test_python_sees_one_silent_run_in_so_many(compiled: NativeJudge) -> None:
    compiled.begin(every=10)
    quiet: Event = (RESUME, 0, 0, 0, 1, 0)
    said = [compiled.judge([quiet]) for _ in range(100)]
    assert said.count(Verdict.SAMPLE) == 10
    assert said.count(Verdict.SILENT) == 90


def test_what_64_bits_cannot_hold_is_left_to_python(compiled: NativeJudge) -> None:
    story = Story()
    kind, thread, _ipa, _size, address, flags = story.events[2]
    for number in (-(1 << 63), (1 << 63) - 1):
        events = [*story.events, (kind, thread, number, 4096, address, flags)]
        assert compiled.judge(events) is Verdict.LEFT
        compiled.check(judge(events))


def test_a_difference_is_a_bug_of_our_own(compiled: NativeJudge) -> None:
    (said,) = judge([DEATH], Rules(), 1, 1)
    compiled.judge([DEATH])
    compiled.check([said])
    with pytest.raises(ModelError, match="CRASH"):
        compiled.check([])
    other = Violation("A1", said.rule, said.category, said.verdict, (), said.signature)
    with pytest.raises(ModelError, match="A1"):
        compiled.check([other])


def test_without_a_compiler_there_is_no_native_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert build.library() is None


def test_a_library_that_was_cut_short_is_built_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = build.library()
    if path is None:
        pytest.skip("needs a C compiler")
    whole = path.read_bytes()
    path.write_bytes(whole[:4096])
    assert build.library() == path
    loaded = NativeJudge(path)
    assert loaded.judge([DEATH]) is Verdict.LEFT, "it knows no scenario yet"
    loaded.scenario(Rules(), 1, 1)
    assert loaded.judge([DEATH]) is Verdict.NEW


def beyond(value: int) -> int:
    """What a rule might say that has no translation."""
    try:
        return value
    finally:
        value = 0


def test_what_cannot_be_translated_is_named_with_its_line() -> None:
    assert isinstance(beyond, FunctionType)
    function = Function("beyond", beyond, None, {"value": INT}, INT)
    with pytest.raises(UnsupportedError, match=r"beyond:\d+: try"):
        Statements(Program({}), function).define()
