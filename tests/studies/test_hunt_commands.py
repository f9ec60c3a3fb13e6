"""``kernel explore`` and ``kernel mutants`` as a user sees them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stage2fuzz.case.text import parse
from stage2fuzz.findings.store import Store
from stage2fuzz.run import run
from stage2fuzz.session.reproduce import signatures


def kernel(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run ``stage2fuzz kernel`` with these arguments."""
    command = [sys.executable, "-m", "stage2fuzz", "kernel", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("explore", "/nowhere"), "/nowhere"),
        (("explore", "/nowhere", "--seconds", "0"), "--seconds"),
        (("explore", "/nowhere", "--schedules", "-1"), "--schedules"),
        (("explore", "/nowhere", "--jobs", "-1"), "--jobs"),
        (("explore", "/no where"), "/no where"),
        (("mutants", "/nowhere"), "/nowhere"),
        (("mutants", "/nowhere", "--jobs", "9999"), "--jobs"),
        (("mutants", "/nowhere", "--rounds", "0"), "--rounds"),
        (("mutants", "/nowhere", "--random", "-1"), "--random"),
        (("mutants", "/nowhere", "--random", "10", "--prove"), "--random"),
        (("mutants", "/nowhere", "--only", "no-such-fault"), "no-such-fault"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments: tuple[str, ...], named: str) -> None:
    done = kernel(*arguments)
    assert done.returncode == 2
    assert not done.stdout
    assert done.stderr.count("\n") == 1
    assert named in done.stderr


@pytest.mark.kernel
@pytest.mark.slow
def test_explore_tells_what_it_ran_and_keeps_what_it_found(tree: Path, tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path}/findings.db"
    limits = ("--schedules", 12_000, "--jobs", 2)
    done = kernel("explore", tree, *limits, "--json", "--database", place)
    told = json.loads(done.stdout)
    assert done.returncode == (1 if told["signatures"] else 0), done.stderr
    assert told["runs"] == 12_000
    assert told["judged"] == told["classes"] == told["runs"] - told["folded"]
    assert told["unjudged"] == 0
    assert told["scenarios"] > 15
    store = Store.open(place)
    kept = {finding.signature: finding.reproducer for finding in store.list()}
    store.close()
    assert kept == {each["signature"]: each["case"] for each in told["signatures"]}
    for signature, case in kept.items():
        assert signature in signatures(run(parse(case, "reproducer")))


@pytest.mark.kernel
def test_mutants_shows_each_result_and_the_sum(tree: Path, cache: Path) -> None:
    only = ("--only", "wrong-frame", "--only", "page-not-released")
    done = kernel("mutants", tree, "--cache", cache, "--rounds", 1, *only)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[:2]] == [
        "wrong-frame",
        "page-not-released",
    ]
    assert "2 of 2 found" in done.stdout


@pytest.mark.kernel
@pytest.mark.slow
def test_a_fault_is_looked_for_where_nobody_made_a_scenario_for_it(tree: Path, cache: Path) -> None:
    only = ("--only", "wrong-frame", "--random", 200, "--rounds", 1, "--json")
    (told,) = json.loads(kernel("mutants", tree, "--cache", cache, *only).stdout)
    assert told["found_by"] and 0 < told["schedules"] <= 20_000
