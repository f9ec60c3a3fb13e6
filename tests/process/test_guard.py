"""A guarded command: its words come through as text, its end is believed only if it says so."""

import pytest

from stage2fuzz.errors import InputError
from stage2fuzz.process import guard as guards
from stage2fuzz.process import life
from stage2fuzz.process.end import DiedError
from stage2fuzz.process.guard import guard


def guarded(what: str, told: list[tuple[str, float]] | None = None) -> int:
    """The exit code of the wild command."""

    def progress(line: str, done: float) -> None:
        if told is not None:
            told.append((line, done))

    return guard("wild", [what], progress, module="tests.process.wild_command")


def test_its_words_and_its_code_come_through(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded("found") == 1
    assert capsys.readouterr().out == "one violation\n"


def test_what_a_terminal_would_obey_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded("escape") == 0
    said = capsys.readouterr()
    assert said.out == "\ufffd[31mred\ufffd \ufffd\n"
    assert said.err == "\ufffd]0;title\ufffd\n"


def test_progress_comes_through_as_text() -> None:
    told: list[tuple[str, float]] = []
    assert guarded("progress", told) == 0
    assert told == [("half \ufffd[1m", 0.5)]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("exit", "ended by itself with exit code 0"),
        ("forge", "ended by itself with exit code 0"),
        ("sleep", "did not end in its time"),
        ("close", "did not end in its time"),
    ],
)
def test_an_end_that_it_did_not_announce_is_none(
    monkeypatch: pytest.MonkeyPatch, what: str, words: str
) -> None:
    monkeypatch.setenv(life.VARIABLE, "4")
    with pytest.raises(DiedError, match=f"wild: the process {words}"):
        guarded(what)


def test_words_that_went_elsewhere_are_missed() -> None:
    with pytest.raises(DiedError, match="what it printed went elsewhere"):
        guarded("elsewhere")


def test_one_that_works_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(life.VARIABLE, "2.5")
    assert guarded("work") == 0


def test_one_that_prints_without_end_is_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guards, "MOST", 1 << 20)
    with pytest.raises(DiedError, match="wrote more than it may"):
        guarded("flood")
    assert len(capsys.readouterr().out) < 1 << 22


@pytest.mark.parametrize("value", ["x", "0", "-1", "nan", "inf"])
def test_a_silence_that_is_no_number_of_seconds_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(life.VARIABLE, value)
    with pytest.raises(InputError, match=r"STAGE2FUZZ_STALL: .*no number of seconds"):
        life.stall_seconds()
