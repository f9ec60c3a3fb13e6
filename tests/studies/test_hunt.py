"""A hunt: every class judged once, the same runs from the same seed, nothing lost in a crash."""

import os
import signal
import time
from pathlib import Path

import pytest

from stage2fuzz.arch import READ
from stage2fuzz.case.scenario import Access, HostOp, Op, Scenario
from stage2fuzz.case.text import parse
from stage2fuzz.findings.states import State
from stage2fuzz.findings.store import Store
from stage2fuzz.kernel.adapter import REFERENCE, KernelEngine
from stage2fuzz.kernel.build import build
from stage2fuzz.kernel.faults import FAULTS
from stage2fuzz.kernel.mutants import copy_tree, plant
from stage2fuzz.run import run
from stage2fuzz.session.intake import Intake
from stage2fuzz.session.reproduce import signatures
from stage2fuzz.studies.hunt.hunt import Hunt
from stage2fuzz.studies.hunt.turn import Turn, read_answer, take, to_answer
from stage2fuzz.studies.hunt.turn_process import TurnProcess

pytestmark = pytest.mark.kernel


def hunted(
    kernel: KernelEngine, place: Path, jobs: int, schedules: int, minimised: bool = False
) -> Hunt:
    """A hunt of so many schedules, driven to its end; what it finds is confirmed."""
    store = Store.open(f"sqlite:///{place}/findings.db")
    engine = f"kernel:{kernel.library.tree}"
    with Hunt(Intake(store), engine, kernel.library, jobs, 1, 300, schedules) as hunt:
        while hunt.step() or (minimised and hunt.intake.to_minimise):
            if not minimised or hunt.intake.minimise_one() is None:
                hunt.pause()
    return hunt


def test_a_hunt_runs_what_it_was_asked_for_and_judges_every_class(
    kernel: KernelEngine, tmp_path: Path
) -> None:
    hunt = hunted(kernel, tmp_path, 2, 15_000)
    assert hunt.totals.runs == 15_000
    assert hunt.totals.judged == hunt.totals.classes > 1_000
    assert hunt.totals.deaths == hunt.totals.restarts == 0
    assert not hunt.intake.failures


def test_the_same_seed_gives_the_same_hunt(kernel: KernelEngine, tmp_path: Path) -> None:
    places = [tmp_path / name for name in "ab"]
    for place in places:
        place.mkdir()
    one, other = (hunted(kernel, place, 2, 4_000) for place in places)
    assert one.totals == other.totals
    # Which process tells of a signature first, and so its number and words, is a matter of time.
    times = [
        {text: shown.times for text, shown in hunt.signatures.items()} for hunt in (one, other)
    ]
    assert times[0] == times[1]


@pytest.mark.slow
def test_what_a_hunt_finds_replays_minimised(kernel: KernelEngine, tmp_path: Path) -> None:
    hunt = hunted(kernel, tmp_path, 1, 40_000, minimised=True)
    for finding in hunt.intake.store.list():
        assert finding.state == State.MINIMISED
        assert finding.signature in signatures(run(parse(finding.minimised, "minimised")))
    found = {shown.oracle for shown in hunt.signatures.values()}
    if "S2_HAS_PERMISSION_ONLY_RULE" not in kernel.library.has:
        assert {"C6", "G1", "G2", "G3"} <= found
    assert {finding.id for finding in hunt.intake.store.list()} == {
        shown.number for shown in hunt.signatures.values()
    }


def test_a_process_judges_what_this_process_judges(kernel: KernelEngine) -> None:
    turn = Turn(1000, REFERENCE, 1, 500, 500, kernel.rules)
    process = TurnProcess(kernel.library.path)
    try:
        process.ask(turn)
        assert process.answer() == read_answer(to_answer(take(kernel.native, turn), REFERENCE))
    finally:
        process.close()


def test_a_killed_process_costs_one_turn_and_is_told(kernel: KernelEngine) -> None:
    turn = Turn(1, REFERENCE, 1, 100_000, 100_000, kernel.rules)
    process = TurnProcess(kernel.library.path)
    try:
        process.ask(turn)
        child = process._child._confined
        assert child is not None
        os.kill(child.process.pid, signal.SIGKILL)
        assert process.answer().died
        process.ask(Turn(1, REFERENCE, 1, 10, 10, kernel.rules))
        assert process.answer().runs == 10
    finally:
        process.close()


@pytest.mark.parametrize(
    ("fault", "number"),
    [("null-dereference", 11), pytest.param("endless-loop", 26, marks=pytest.mark.slow)],
)
def test_wild_code_is_a_finding_and_the_next_turn_gets_a_new_process(
    tree: Path, tmp_path: Path, fault: str, number: int
) -> None:
    copy_tree(tree, tmp_path / "tree")
    (planted,) = (each for each in FAULTS if each.name == fault)
    assert plant(tmp_path / "tree", planted)
    engine = KernelEngine(build(tmp_path / "tree", tmp_path / "cache"))
    scenario = Scenario(
        vcpus=((Access(READ, 0), Access(READ, 0)),), hosts=((HostOp(Op.AGE), HostOp(Op.AGE)),)
    )
    process = TurnProcess(engine.library.path)
    try:
        process.ask(Turn(1, scenario, 1, 300, 300, engine.rules))
        done = process.answer()
        assert done.crashed
        assert not done.died
        (found,) = (each for each in done.found.values() if each.violation.oracle == "CRASH")
        assert found.schedule is not None
        assert engine.run(scenario, found.schedule).events[-1][5] == number
        process.ask(Turn(1, Scenario(), 1, 10, 10, engine.rules))
        assert not process.answer().crashed
    finally:
        process.close()


def test_processes_go_on_while_a_finding_is_confirmed(kernel: KernelEngine, tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/findings.db")
    with Hunt(Intake(store), "kernel:nowhere", kernel.library, 1, 1, 300, 6_000) as hunt:
        until = time.monotonic() + 60
        while hunt.totals.runs < 6_000 and time.monotonic() < until:
            time.sleep(0.1)  # whoever confirms does not step meanwhile
        assert hunt.totals.runs == 6_000
