"""What the world may be like: full disks, closed outputs, odd environments, narrow terminals."""

import ctypes
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stage2fuzz.case.text import read_case
from stage2fuzz.findings.store import Store
from stage2fuzz.run import run
from tests.cli.terminal import RACE, command

BOUNDING_SET_DROP, DAC_OVERRIDE, DAC_READ_SEARCH = 24, 1, 2
"""Of prctl(2) and capabilities(7)."""


def typed(
    *arguments: object, environment: dict[str, str] | None = None, **streams: object
) -> subprocess.CompletedProcess[str]:
    """The real command, its streams and environment as asked."""
    default: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-m", "stage2fuzz", *map(str, arguments)],
        env={**os.environ, **(environment or {})},
        text=True,
        check=False,
        **(default | streams),
    )


def expect_refused(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 2, done
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


COMMANDS = [
    ("--help",),
    ("engines",),
    ("oracles", "--json"),
    ("run", RACE),
    ("findings", "show", "1"),
]


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda value: value[0])
def test_a_full_disk_behind_standard_output_is_one_line(
    folder: Path, arguments: tuple[object, ...], unbuffered: str
) -> None:
    environment = {"PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        done = typed(*arguments, environment=environment, stdout=full)
    expect_refused(done, "standard output: No space left on device")


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda value: value[0])
def test_a_reader_that_leaves_ends_a_command_as_a_unix_tool(
    folder: Path, arguments: tuple[object, ...]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = typed(*arguments, stdout=writing)
    finally:
        os.close(writing)
    assert done.returncode == -signal.SIGPIPE
    assert done.stderr == ""


def test_a_closed_standard_output_is_one_line(folder: Path) -> None:
    expect_refused(typed("engines", stdout=None, preexec_fn=lambda: os.close(1)), "standard output")


def test_a_closed_standard_error_changes_no_result(folder: Path) -> None:
    assert typed("run", "nowhere", stderr=None, preexec_fn=lambda: os.close(2)).returncode == 2
    done = typed("run", RACE, stderr=None, preexec_fn=lambda: os.close(2))
    assert done.returncode == 1
    assert done.stdout


@pytest.mark.parametrize(
    "environment",
    [
        {"COLUMNS": "²", "LINES": "٣"},
        {"COLUMNS": "0"},
        {"COLUMNS": "-5"},
        {"COLUMNS": "9" * 30},
        {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        {"TERM": "no such terminal"},
        {"NO_COLOR": "1", "FORCE_COLOR": "1"},
        {"HOME": "/nowhere", "TMPDIR": "/nowhere"},
    ],
    ids=str,
)
def test_an_odd_environment_changes_nothing(folder: Path, environment: dict[str, str]) -> None:
    for arguments in (("engines",), ("run", "race.case")):
        done = typed(*arguments, environment=environment)
        assert done.returncode in (0, 1), done
        assert done.stdout
        assert done.stderr == ""
        assert "\x1b" not in done.stdout


def test_a_pipe_is_neither_a_case_nor_a_database(folder: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for arguments in (("run", pipe), ("replay", pipe), ("minimise", pipe), ("explore", pipe)):
        assert "is a pipe" in command(*arguments).refused()
    for place in (pipe, "/dev/null", "/dev/full"):
        assert str(place) in command("findings", "list", "--database", place).refused()


@pytest.mark.parametrize(
    "arguments",
    [
        ("findings", "list"),
        ("findings", "show", "1"),
        ("findings", "triage", "1", "--note", "x"),
        ("findings", "export", "cases"),
        ("replay", "1"),
        ("minimise", "1"),
        ("explore", "1"),
        ("campaign", "list"),
        ("campaign", "status", "night"),
        ("campaign", "stop", "night"),
    ],
    ids=" ".join,
)
def test_a_mistyped_database_is_not_made(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    missing = tmp_path / "mistyped.db"
    assert "there is no such database" in command(*arguments, "--database", missing).refused()
    assert list(tmp_path.iterdir()) == []


def test_a_new_database_is_its_owner_s_alone(tmp_path: Path) -> None:
    Store.open(str(tmp_path / "new.db")).close()
    assert stat.S_IMODE((tmp_path / "new.db").stat().st_mode) == 0o600


def unprivileged() -> None:
    """Root without its right to write where nobody may: modes count for it, too."""
    libc = ctypes.CDLL(None)
    for capability in (DAC_OVERRIDE, DAC_READ_SEARCH):
        libc.prctl(BOUNDING_SET_DROP, capability, 0, 0, 0)


@pytest.mark.skipif(os.getuid() != 0, reason="takes a right away that only root has")
def test_a_read_only_folder_is_called_that(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "kept"
    place.mkdir()
    kept = place / "kept.db"
    kept.write_bytes((folder / "stage2fuzz.db").read_bytes())
    place.chmod(0o555)
    for arguments, words in (
        (("findings", "list", "--database", kept), "kept cannot be written"),
        (("fuzz", "--database", place / "new.db"), "kept cannot be written"),
        (("run", RACE, "--svg", place / "x.svg"), "Permission denied"),
        (("findings", "export", place / "cases"), "Permission denied"),
    ):
        expect_refused(typed(*arguments, preexec_fn=unprivileged), words)
    assert [path.name for path in place.iterdir()] == ["kept.db"]


def test_a_case_whose_writing_fails_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    def small_files() -> None:
        import resource  # noqa: PLC0415  (in the child)

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = typed("run", RACE, "--svg", tmp_path / "x.svg", preexec_fn=small_files)
    expect_refused(done, "File too large")
    assert list(tmp_path.iterdir()) == []


def test_a_driver_that_is_not_there_is_named(folder: Path) -> None:
    for url in ("postgresql+pg8000://host/x", "sqlite+nothing:///x.db"):
        assert "://" in command("findings", "list", "--database", url).refused()


@pytest.mark.parametrize("columns", [30, 40, 80, 200])
def test_no_table_is_wider_than_the_terminal_or_ends_in_spaces(
    folder: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for arguments in (
        ("findings", "list"),
        ("findings", "list", "--state", "fixed"),
        ("campaign", "list"),
        ("oracles",),
        ("engines",),
        *([("series", "--schedules", "1", "--compare", "1")] if columns == 30 else []),
    ):
        lines = command(*arguments).out.splitlines()
        assert lines
        assert max(map(len, lines)) <= columns, arguments
        assert not any(line.endswith(" ") for line in lines), arguments


def test_a_hint_works_as_typed(folder: Path, tmp_path: Path) -> None:
    done = typed(
        *("fuzz", "--seconds", "2", "--target", "map_race", "--database", tmp_path / "a b.db"),
        environment={"STAGE2FUZZ_COMMAND": f"{sys.executable} -m stage2fuzz"},
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("next: "))
    assert line.startswith(f"next: '{sys.executable} -m stage2fuzz' replay ")
    typed_ = line.removeprefix("next: ").partition("  ")[0].replace("'", "", 2)
    assert subprocess.run(typed_, shell=True, check=False, capture_output=True).returncode == 1


def test_a_filter_says_what_it_hid(folder: Path) -> None:
    said = command("findings", "list", "--state", "fixed")
    assert said.out == "0 findings are as asked; 1 other does not match\n"
    assert "match" not in command("findings", "list").out


def test_a_fix_is_called_so_only_in_an_engine_that_is_there(folder: Path) -> None:
    line = command("findings", "triage", "1", "--fixed-in", "model:nope").refused()
    assert "unknown revision 'nope'" in line


def test_times_in_json_are_iso_and_nothing_is_a_text_of_json(folder: Path) -> None:
    (found,) = json.loads(command("findings", "list", "--json").out)
    assert found["first_seen"].endswith("+00:00")
    shown = json.loads(command("findings", "show", "1", "--json").out)
    assert all(note["at"].endswith("+00:00") for note in shown["history"])
    events = json.loads(command("run", RACE, "--json").out)["events"]
    assert all(isinstance(event, dict) for event in events)


def test_more_findings_than_a_thousand_are_all_listed_and_exported(tmp_path: Path) -> None:
    case = read_case(RACE)
    violation = run(case).violations[0]
    database = tmp_path / "many.db"
    with Store.open(str(database)) as store, store.engine.begin() as connection:
        for number in range(1001):
            other = type(violation)(
                violation.oracle,
                violation.rule,
                violation.category,
                violation.verdict,
                violation.events,
                f"signature {number:05}",
            )
            store.record(case, other, "", within=connection)
    listed = json.loads(command("findings", "list", "--json", "--database", database).out)
    assert len(listed) == 1001
    said = command("findings", "export", tmp_path / "cases", "--database", database)
    assert said.out.startswith("1001 cases in ")
    assert len(list((tmp_path / "cases").iterdir())) == 1001
    assert "\n" in said.out


def test_a_verdict_full_of_commands_to_a_terminal_is_text(tmp_path: Path) -> None:
    case = read_case(RACE)
    violation = run(case).violations[0]
    hostile = type(violation)(
        violation.oracle,
        violation.rule,
        violation.category,
        "[/] [bold\x1b[2J\nnext: rm",
        violation.events,
        "hostile",
    )
    with Store.open(str(tmp_path / "x.db")) as store:
        store.record(case, hostile, "")
    for arguments in (("findings", "list"), ("findings", "show", "1")):
        said = command(*arguments, "--database", tmp_path / "x.db")
        assert said.code == 0
        assert "\x1b" not in said.out
        assert "[/] [bold\\x1b[2J\\nnext: rm" in said.out


def test_a_mail_is_asked_for_like_markdown(folder: Path) -> None:
    said = command("replay", "1", "--mail")
    assert said.out.startswith("Subject: ")
    assert max(map(len, said.out.splitlines())) <= 75
