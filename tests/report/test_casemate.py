"""A run as a trace for casemate-check: its records, in the order in which the run made them."""

import re
from pathlib import Path

import pytest

from stage2fuzz.case.text import read_case
from stage2fuzz.errors import InputError
from stage2fuzz.events import SETUP, STORE
from stage2fuzz.report.casemate import casemate_trace, keeps_locks
from stage2fuzz.run import run
from tests.cli.terminal import RACE, command

CASES = Path(__file__).parents[1] / "cases"
RECORD = re.compile(r'\(([a-z-]+) \(id (\d+)\) \(tid (\d)\) (.*) \(src "[^"]+:\d+"\)\)')


def records(path: Path, projected: bool = False) -> list[tuple[str, str]]:
    """Each record's name and fields; their numbers count on."""
    lines = casemate_trace(run(read_case(path)).events, (), projected).splitlines()
    found = [RECORD.fullmatch(line) for line in lines]
    assert all(found), lines
    matches = [each for each in found if each is not None]
    assert [int(each[2]) for each in matches] == list(range(len(lines)))
    return [(each[1], each[4]) for each in matches]


def broken_leaf(path: Path) -> list[str]:
    """What follows the first leaf that is made invalid, up to the next store."""
    told = records(path)
    leaf = next(
        number
        for number, (name, fields) in enumerate(told)
        if name == "mem-write" and fields.endswith(("(value 0x0)", "7fe)"))
    )
    end = next(n for n, each in enumerate(told) if n > leaf and each[0] == "mem-write")
    return [" ".join(each) for each in told[leaf + 1 : end]]


def test_a_break_before_make_is_told_step_by_step() -> None:
    assert broken_leaf(RACE) == [
        "barrier dsb (kind ishst)",
        "tlbi ipas2e1is (value 0x40000)",
        "barrier dsb (kind ish)",
        "tlbi vmalle1is",
        "barrier dsb (kind ish)",
        "barrier isb",
    ]


def test_a_step_that_the_run_lacks_is_not_told() -> None:
    lacks = broken_leaf(CASES / "bad_missing_stage1_tlbi.case")
    assert "tlbi ipas2e1is (value 0x40000)" in lacks
    assert "tlbi vmalle1is" not in lacks


def test_every_store_below_the_root_is_told_once() -> None:
    events = run(read_case(RACE)).events
    stores = sum(1 for each in events if each[0] == STORE and each[1] != SETUP)
    assert sum(1 for name, _ in records(RACE) if name == "mem-write") == stores > 0


def test_projected_leaves_differ_in_nothing_but_where_they_lead() -> None:
    """Rights and access flags may change in place; casemate takes some such changes for a break."""
    written = [fields for name, fields in records(RACE, projected=True) if name == "mem-write"]
    leaves = {fields.rpartition("(value ")[2] for fields in written if "0x1000" in fields[-22:]}
    whole = [fields for name, fields in records(RACE) if name == "mem-write"]
    assert len(written) == len(whole)
    assert len(leaves) < len({fields.rpartition("(value ")[2] for fields in whole})


def test_shared_locks_are_left_out_for_the_checker_knows_exclusive_ones_only(
    tmp_path: Path,
) -> None:
    shared = tmp_path / "shared.case"
    shared.write_text(RACE.read_text().replace("model:v5.10", "model:v6.12"))
    assert keeps_locks(run(read_case(RACE)).events)
    assert not keeps_locks(run(read_case(shared)).events)
    assert not {name for name, _ in records(shared)} & {"lock", "unlock"}


def test_a_run_that_the_checker_can_not_hold_is_refused(tmp_path: Path) -> None:
    crowd = tmp_path / "crowd.case"
    vcpus = "".join(f"vcpu {number}: read 0\n" for number in range(3))
    hosts = "".join(f"host {number}: age 0\n" for number in range(2))
    crowd.write_text(f"stage2fuzz case 1\nengine model:v5.12\nslot 0: pages 1\n{vcpus}{hosts}end\n")
    with pytest.raises(InputError, match="5 threads"):
        casemate_trace(run(read_case(crowd)).events)


def test_the_command_writes_the_trace_and_says_how_to_have_it_judged(tmp_path: Path) -> None:
    said = command("export", RACE, "--casemate", "--output", tmp_path / "race.trace")
    assert (said.code, said.out) == (0, "")
    assert said.err == f"next: casemate-check {tmp_path}/race.trace\n"
    assert (tmp_path / "race.trace").read_text() == command("export", RACE, "--casemate").out
    assert "--casemate" in command("export", RACE).refused()
