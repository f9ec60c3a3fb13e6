"""What a person and a program get from the commands that look at one case or one finding."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stage2fuzz.case.text import parse, read_case
from stage2fuzz.cli.explore import Exploration, exit_code
from stage2fuzz.findings.store import Store
from stage2fuzz.run import run
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.schedule.exhaustive import Exhaustive
from tests.cli.terminal import command

SMALL = "stage2fuzz case 1\nengine model:v5.12\nvcpu 0: write 0\nvcpu 1: read 0\nend\n"


def test_a_violation_is_exit_1_and_none_is_exit_0(folder: Path) -> None:
    for verb in ("run", "replay"):
        assert command(verb, "race.case").code == 1
        assert command(verb, "race.case", "--engine", "model:v5.12").code == 0


def test_help_is_exit_0_and_no_command_at_all_shows_it_too(folder: Path) -> None:
    said = command("--help")
    assert said.code == 0
    assert "explore" in said.out
    assert command().out == said.out
    assert command().code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "race.case"),
        ("replay", "1"),
        ("explore", "race.case", "--executions", "20"),
        ("findings", "list"),
        ("findings", "show", "1", "--events"),
        ("engines",),
        ("oracles",),
        ("targets",),
        ("series", "--schedules", "1", "--compare", "1"),
    ],
)
def test_json_is_one_document_and_nothing_else(folder: Path, arguments: tuple[str, ...]) -> None:
    said = command(*arguments, "--json")
    assert said.err == ""
    assert json.loads(said.out)


def test_replay_says_what_it_replays(folder: Path) -> None:
    assert command("replay", "1").out.startswith("finding 1: 2 threads, ")


def test_a_finding_is_minimised_where_it_is_kept(folder: Path) -> None:
    said = command("minimise", "1", "--budget", "300", "--output", "small.case")
    assert said.code == 0
    kept = json.loads(command("findings", "show", "1", "--json").out)
    assert kept["minimised"] == (folder / "small.case").read_text()
    assert run(parse(kept["minimised"], "kept")).violations


def test_every_table_folds_inside_a_hundred_columns(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for arguments in (
        ("findings", "list"),
        ("series", "--schedules", "2", "--compare", "1"),
        ("oracles",),
        ("engines",),
        ("replay", "1"),
    ):
        lines = command(*arguments).out.splitlines()
        assert lines
        assert max(len(line.rstrip()) for line in lines) <= 100, arguments


def test_another_example_is_named_by_its_number_and_does_not_displace_what_is_minimised(
    folder: Path,
) -> None:
    case = read_case(folder / "race.case")
    (fault, *_) = run(case).violations
    threads = case.scenario.vcpus * 2
    other = replace(case, scenario=replace(case.scenario, vcpus=threads), schedule=Schedule())
    database = str(folder / "examples.db")
    with Store.open(database) as store:
        for each in (case, other):
            store.record(each, fault, "")
        store.attach_minimised(1, case)
        kept = store.get(1).minimised
    said = command("replay", "1.1", "--database", database)
    assert said.out.startswith("finding 1.1: 4 threads, ")
    command("minimise", "1.1", "--budget", "20", "--database", database)
    with Store.open(database) as store:
        assert store.get(1).minimised == kept


def test_a_case_in_json_is_taken_wherever_a_case_file_is(folder: Path) -> None:
    written = command("export", "race.case", "--json", "-o", "race.json")
    assert written.code == 0
    assert (
        command("replay", "race.json").out.partition("\n")[2]
        == (command("replay", "race.case").out.partition("\n")[2])
    )
    engines = ("--engine", "model:v5.10", "--engine", "model:v5.12")
    assert command("compare", "race.json", *engines, "--json").code == 1


def test_explore_says_all_only_where_it_saw_all(folder: Path) -> None:
    (folder / "small.case").write_text(SMALL)
    whole = json.loads(command("explore", "small.case", "--json").out)
    assert whole["complete"] and whole["reduced"]
    assert whole["proved"].startswith("all interleavings of this scenario on model:v5.12:")
    bounded = json.loads(command("explore", "small.case", "--preemptions", "1", "--json").out)
    assert bounded["complete"] and not bounded["reduced"]
    assert "within 1 preemptions (what lies beyond was not seen)" in bounded["proved"]
    cut = json.loads(command("explore", "small.case", "--executions", "5", "--json").out)
    assert not cut["complete"]
    assert cut["proved"].startswith("only 5 executions")


def test_explore_sees_all_schedules_with_few_preemptions_first(folder: Path) -> None:
    (folder / "small.case").write_text(SMALL)
    said = json.loads(command("explore", "small.case", "--executions", "60", "--json").out)
    assert said["before"] > 0 == said["shallow"]
    assert said["proved"].endswith("about the rest, but all with no preemption were")


@pytest.mark.parametrize(("inconclusive", "code"), [(7, 3), (6, 0)])
def test_explore_is_inconclusive_where_every_run_of_every_search_is(
    inconclusive: int, code: int
) -> None:
    exploration = Exploration("model:v5.12", Exhaustive(), "")
    exploration.before, exploration.inconclusive = 7, inconclusive
    assert exit_code(exploration, "any") == code


@pytest.mark.parametrize("option", ["pending-stores", "tlb sticky", "tlb sampled"])
def test_explore_does_not_reduce_where_a_class_is_more_than_an_order(
    folder: Path, option: str
) -> None:
    (folder / "small.case").write_text(SMALL.replace("vcpu 0", f"option {option}\nvcpu 0"))
    said = json.loads(command("explore", "small.case", "--executions", "5", "--json").out)
    assert not said["reduced"]


def test_the_first_case_that_explore_writes_shows_its_violation(folder: Path) -> None:
    arguments = ("explore", "race.case", "--executions", "200", "--output", "explored", "--json")
    said = json.loads(command(*arguments).out)
    assert said["violations"]
    for number, violation in enumerate(said["violations"], 1):
        shown = run(read_case(folder / "explored" / f"explored-{number}.case")).violations
        assert violation["signature"] in {each.signature for each in shown}
