"""What may take its process down runs in a child, and whoever asks lives on and is told."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from stage2fuzz.errors import InputError, ModelError
from stage2fuzz.process import life
from stage2fuzz.process.child import Child
from stage2fuzz.process.end import DiedError, How
from stage2fuzz.process.limits import Limits

HELLO = {"do": "hello"}


@pytest.fixture
def child() -> Iterator[Child]:
    made = Child("tests.process.wild_server", (), Limits(memory=1 << 30))
    yield made
    made.close()


def test_it_answers_from_one_process_until_it_is_renewed(child: Child) -> None:
    first = child.ask_one(HELLO, 20)
    assert first != {"process": os.getpid()}
    assert child.ask_one(HELLO, 20) == first
    child.renew()
    assert child.ask_one(HELLO, 20) != first


def test_answers_come_one_by_one(child: Child) -> None:
    answers = child.ask({"do": "many", "count": 5000}, 20)
    assert [each["number"] for each in answers] == list(range(5000))
    assert list(child.ask({"do": "many", "count": 0}, 20)) == []


def test_bad_input_there_is_bad_input_here(child: Child) -> None:
    with pytest.raises(InputError) as caught:
        child.ask_one({"do": "refuse"}, 20)
    assert (caught.value.where, caught.value.what, caught.value.right) == (
        "a place",
        "is wrong",
        "another",
    )
    assert "process" in child.ask_one(HELLO, 20)


def test_our_own_bug_there_is_our_own_bug_here(child: Child) -> None:
    with pytest.raises(ModelError, match="AssertionError: ours"):
        child.ask_one({"do": "bug"}, 20)


@pytest.mark.parametrize(
    ("question", "how", "words"),
    [
        ({"do": "exit", "code": 0}, How.OK, "ended by itself with exit code 0"),
        ({"do": "exit", "code": 3}, How.CRASH, "ended by itself with exit code 3"),
        ({"do": "raise", "signal": 9}, How.CRASH, "died of SIGKILL"),
        ({"do": "raise", "signal": 15}, How.CRASH, "died of SIGTERM"),
        ({"do": "crash"}, How.CRASH, "died of SIGSEGV"),
        ({"do": "sleep"}, How.TIMEOUT, "did not end in its time"),
        ({"do": "loop"}, How.TIMEOUT, "did not end in its time"),
        ({"do": "alive"}, How.TIMEOUT, "did not end in its time"),
        ({"do": "close"}, How.CRASH, "died of SIGKILL"),
        ({"do": "say", "what": "no frame\n"}, How.CRASH, "say: the process"),
        ({"do": "say", "what": "[1]\n"}, How.CRASH, "say: the process"),
        ({"do": "say", "what": "[" * 100_000 + "\n"}, How.CRASH, "say: the process"),
        ({"do": "say", "what": '{"answer": 7}\n'}, How.CRASH, "say: the process"),
    ],
)
def test_each_wild_end_is_told_and_the_next_question_is_answered(
    child: Child, question: dict[str, object], how: How, words: str
) -> None:
    child.ask_one(HELLO, 20)
    with pytest.raises(DiedError, match=words) as caught:
        list(child.ask(question, 2.0))
    assert caught.value.end.how is how
    assert "process" in child.ask_one(HELLO, 20)


def test_work_with_signs_of_life_may_take_its_time_and_silence_may_not(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    child.ask_one(HELLO, 20)
    monkeypatch.setenv(life.VARIABLE, "1.5")
    assert "process" in child.ask_one({"do": "work"}, 20)
    begun = time.monotonic()
    with pytest.raises(DiedError, match="did not end in its time"):
        child.ask_one({"do": "sleep"}, 20)
    assert time.monotonic() - begun < 10


def test_memory_has_a_limit(child: Child) -> None:
    with pytest.raises(DiedError, match="could not go on: MemoryError"):
        child.ask_one({"do": "memory"}, 20)
    assert "process" in child.ask_one(HELLO, 20)


def test_what_the_system_refuses_there_is_no_bug_of_ours(child: Child) -> None:
    with pytest.raises(DiedError, match="could not go on: OSError") as caught:
        child.ask_one({"do": "files"}, 20)
    assert caught.value.end.how is How.STARVED
    assert "process" in child.ask_one(HELLO, 20)


def test_what_is_printed_there_is_no_answer(child: Child) -> None:
    assert "process" in child.ask_one({"do": "print", "what": '{"answer": {}}'}, 20)


def test_what_the_heartbeat_raises_ends_the_process(child: Child) -> None:
    first = child.ask_one(HELLO, 20)

    def lost() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        child.ask_one({"do": "sleep"}, 20, lost)
    assert child.ask_one(HELLO, 20) != first


def test_it_is_told_nothing_of_ours(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE2FUZZ_DATABASE", "postgresql://user:hunter2@host/db")
    assert "hunter2" not in str(child.ask_one({"do": "environment"}, 20))


def test_nothing_of_it_is_left_when_it_is_closed() -> None:
    child = Child("tests.process.wild_server")
    number = child.ask_one(HELLO, 20)["process"]
    child.close()
    for _ in range(50):
        try:
            os.kill(number, signal.SIG_DFL)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("it lives")
