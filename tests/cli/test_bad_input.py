"""Whatever a person types or a file holds: one clear line and exit 2, nothing half-written."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.terminal import RACE, command

TEXT = RACE.read_text()
BROKEN = {
    "empty": b"",
    "garbage": bytes(range(256)) * 8,
    "another file": b"#!/bin/sh\nexit 0\n",
    "newer format": TEXT.replace("case 1", "case 2").encode(),
    "cut off": TEXT.encode()[: len(TEXT) // 2],
    "without an end": TEXT.replace("\nend\n", "\n").encode(),
    "unknown word": TEXT.replace("vcpu 0", "cpu 0").encode(),
    "unknown engine": TEXT.replace("model:v5.10", "model:v4.20").encode(),
    "nine vCPUs": TEXT.replace("end", "\n".join(f"vcpu {i}: read 0" for i in range(2, 9))).encode(),
    "absurd number": TEXT.replace("write 0", f"write {10**50}").encode(),
    "huge": TEXT.encode() + b"# and so on\n" * 200_000,
    "no thread of that number": TEXT.replace("end", "schedule 7\nend").encode(),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("verb", ["run", "replay", "minimise", "explore"])
def test_a_broken_case_file_is_refused(folder: Path, verb: str, name: str) -> None:
    path = folder / "broken.case"
    path.write_bytes(BROKEN[name])
    line = command(verb, path).refused()
    assert "broken.case" in line or "v4.20" in line


def files(folder: Path) -> list[str]:
    """What lies in the folder, SQLite's own working files apart."""
    names = (path.name for path in folder.iterdir())
    return sorted(name for name in names if not name.endswith(("-wal", "-shm")))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "nowhere.case"), "nowhere.case: No such file"),
        (("run", "."), "Is a directory"),
        (("run", "race.case", "--engine", "model:v9"), "unknown revision 'v9'"),
        (("run", "race.case", "--engine", "qemu:1"), "qemu:1: unknown engine"),
        (("run", "race.case", "--engine", "model:v5.10!nonsense"), "nonsense"),
        (("run", "race.case", "--engine", "kernel:/nowhere"), "/nowhere"),
        (("run", "race.case", "--svg", "race.case/x.svg"), "race.case/x.svg"),
        (("replay", "2"), "finding 2"),
        (("replay", "9" * 30), "finding 999999999"),
        (("replay", "1", "--database", "none/x.db"), "there is no directory none"),
        (("minimise", "race.case", "--budget", "0"), "--budget: 0 is out of range"),
        (("explore", "race.case", "--executions", "0"), "--executions: 0 is out of range"),
        (("explore", "race.case", "--preemptions", "-1"), "--preemptions: -1 is out of range"),
        (("fuzz", "--target", "nothing"), "no target 'nothing'"),
        (("fuzz", "--engine", "model:v9"), "unknown revision 'v9'"),
        (("fuzz", "--seconds", "0"), "--seconds: 0 is out of range"),
        (("fuzz", "--seconds", "9" * 30), "is out of range"),
        (("fuzz", "--jobs", "100000"), "--jobs: 100000 is out of range"),
        (("series", "--schedules", "-5"), "--schedules: -5 is out of range"),
        (("findings", "list", "--oracle", "Z9"), "no oracle 'Z9'"),
        (("findings", "list", "--state", "lost"), "no state 'lost'"),
        (("findings", "list", "--category", "taste"), "no category 'taste'"),
        (("findings", "list", "--engine", "five"), "engine 'five'"),
        (("findings", "show", "0"), "'ID'"),
        (("findings", "triage", "1", "--duplicate-of", "1"), "duplicate of itself"),
        (("findings", "export", "race.case"), "race.case"),
        (("campaign", "status", "nobody"), "there is no campaign 'nobody'"),
        (("campaign", "start", "a", "--seconds", "-1"), "seconds: "),
        (("nonsense",), "No such command 'nonsense'"),
        (("run",), "Missing argument"),
        (("run", "race.case", "extra"), "unexpected extra argument"),
        (("run", "--nonsense"), "No such option"),
        (("fuzz", "--seconds", "soon"), "valid int"),
        (("fuzz", "--seconds"), "requires an argument"),
    ],
)
def test_a_bad_argument_is_refused(folder: Path, arguments: tuple[str, ...], words: str) -> None:
    before = files(folder)
    said = command(*arguments)
    assert words in said.refused()
    assert said.out == ""
    assert files(folder) == before


def test_a_name_with_a_line_break_is_still_one_line(folder: Path) -> None:
    assert "a\\nb" in command("run", "a\nb").refused()


def damaged(path: Path) -> None:
    """A database of ours, its pages overwritten."""
    original = (path.parent / "stage2fuzz.db").read_bytes()
    path.write_bytes(original[:8192] + b"A" * (len(original) - 8192))


def foreign(path: Path) -> None:
    """Somebody else's tables."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    connection.close()


def newer(path: Path) -> None:
    """Our schema as a later version has it."""
    path.write_bytes((path.parent / "stage2fuzz.db").read_bytes())
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE stage2fuzz_version SET version_num = 'later_9999'")
    connection.close()


def garbage(path: Path) -> None:
    """No database at all."""
    path.write_bytes(bytes(range(256)) * 64)


def a_directory(path: Path) -> None:
    """Not even a file."""
    path.mkdir()


@pytest.mark.parametrize("make", [damaged, foreign, newer, garbage, a_directory])
def test_a_database_that_is_not_ours_is_refused_untouched(
    folder: Path, make: Callable[[Path], None]
) -> None:
    path = folder / "other.db"
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    for arguments in (("findings", "list"), ("replay", "1"), ("fuzz", "--seconds", "3")):
        assert path.name in command(*arguments, "--database", path).refused()
    assert (path.read_bytes() if path.is_file() else b"") == before


@pytest.mark.parametrize("url", ["", "sqlite://", "mysql://host/x", "://", "x://y", "/proc/x.db"])
def test_a_database_that_cannot_be_is_refused(folder: Path, url: str) -> None:
    said = command("findings", "list", "--database", url)
    assert said.refused()
    assert not said.out


WORDS = [
    "run", "replay", "minimise", "explore", "findings", "engines", "oracles", "targets", "list",
    "show", "triage", "export", "race.case", "1", "0", "-1", "9" * 40, "--json", "--log", "--full",
    "--markdown", "--svg", "--engine", "model:v5.12", "model:v5.10+p2!missing-tlbi", "model:",
    "kernel:", "--database", "stage2fuzz.db", "--state", "new", "--oracle", "C6", "--output", "-o",
    "out", "--budget", "--executions", "--preemptions", "3", "--help", "--", "", "\0", "é\n", "٣",
]  # fmt: skip
TOLERANT = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def assert_well_behaved(*arguments: str) -> None:
    """Exit 0, 1 or 2, and a refusal is one line."""
    said = command(*arguments)
    assert said.code in (0, 1, 2), said
    if said.code == 2 and not said.out:
        said.refused()


@TOLERANT
@given(
    st.sampled_from([("run",), ("replay",), ("minimise", "--budget", "3"), ("findings",),
                     ("findings", "list"), ("findings", "show"), ("findings", "triage"),
                     ("explore", "--executions", "3"), ("engines",), ("oracles",), ()]),
    st.lists(st.sampled_from(WORDS) | st.text(max_size=8), max_size=5),
)  # fmt: skip
def test_any_arguments_end_with_0_1_or_2(
    folder: Path, begin: tuple[str, ...], rest: list[str]
) -> None:
    # A "-" or an option's value may name any file: nothing here may lie outside the folder.
    rest = [word.replace("/", "").replace("..", "") for word in rest]
    if "explore" in rest or "minimise" in rest:
        rest += ["--executions", "3"] if "explore" in rest else ["--budget", "3"]
    assert_well_behaved(*begin, *rest)


@TOLERANT
@given(
    st.sampled_from(["run", "replay", "minimise"]),
    st.integers(0, len(TEXT)),
    st.integers(0, 40),
    st.sampled_from(["", "0", "*", ":", "end\n", "\n", "9" * 12, "slot 1: pages 3\n", "\0", "é"])
    | st.text(max_size=10),
)
def test_any_case_text_ends_with_0_1_or_2(
    folder: Path, verb: str, at: int, gone: int, instead: str
) -> None:
    changed = TEXT[:at] + instead + TEXT[at + gone :]
    path = folder / "changed.case"
    path.write_bytes(changed.encode("utf-8", "surrogatepass"))
    assert_well_behaved(verb, str(path), *(["--budget", "5"] if verb == "minimise" else []))
