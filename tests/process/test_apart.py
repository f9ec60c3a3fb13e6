"""What may take its process down runs in a process apart, and the asker lives on."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from stage2fuzz.errors import InputError
from stage2fuzz.model.revision import parse_revision
from stage2fuzz.process.apart import Apart, DiedError


@pytest.fixture
def apart() -> Iterator[Apart]:
    made = Apart()
    yield made
    made.renew()


def test_it_answers_from_one_process_until_it_is_renewed(apart: Apart) -> None:
    first = apart.ask(10, os.getpid)
    assert first != os.getpid()
    assert apart.ask(10, os.getpid) == first
    apart.renew()
    assert apart.ask(10, os.getpid) != first


def test_what_is_raised_there_is_raised_here(apart: Apart) -> None:
    with pytest.raises(InputError, match="unknown revision 'v9'") as caught:
        apart.ask(10, parse_revision, "v9")
    assert caught.value.what == "unknown revision 'v9'"
    assert apart.ask(10, len, "alive") == 5


def test_a_death_is_an_error_and_the_next_question_is_answered(apart: Apart) -> None:
    with pytest.raises(DiedError, match="died of raise_signal"):
        apart.ask(10, signal.raise_signal, signal.SIGKILL)
    assert apart.ask(10, len, "again") == 5


def test_patience_ends(apart: Apart) -> None:
    apart.ask(10, os.getpid)
    with pytest.raises(DiedError):
        apart.ask(0.2, time.sleep, 60)
    assert apart.ask(10, len, "again") == 5


def test_what_is_printed_there_is_no_answer(apart: Apart) -> None:
    apart.ask(10, print, "to standard output")
    assert apart.ask(10, len, "answer") == 6
