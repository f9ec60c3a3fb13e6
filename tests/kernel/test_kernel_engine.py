"""The engine: deterministic, replayable, asked like the model, and alive after wild code."""

from pathlib import Path
from random import Random

import pytest

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.codec import decode
from stage2fuzz.case.profile import profile_named
from stage2fuzz.case.scenario import Access, Backing, HostOp, Op, Scenario, Slot
from stage2fuzz.errors import ModelError
from stage2fuzz.events import ACCESS, CRASH, EAGAIN, KINDS, RETURN
from stage2fuzz.kernel.abi import S2ExploreCounts
from stage2fuzz.kernel.adapter import REFERENCE, SMOKE, KernelEngine
from stage2fuzz.kernel.build import build
from stage2fuzz.kernel.explore import explore
from stage2fuzz.kernel.faults import FAULTS
from stage2fuzz.kernel.mutants import copy_tree, plant
from stage2fuzz.kernel.proving_ground import PROVING_GROUND
from stage2fuzz.oracles.judge import judge
from stage2fuzz.schedule import strategy
from stage2fuzz.schedule.base import Schedule, View
from stage2fuzz.schedule.random_walk import RandomWalk
from stage2fuzz.schedule.replay import Replay

pytestmark = pytest.mark.kernel

RACE = Scenario(vcpus=((Access(WRITE, 0),), (Access(EXECUTE, 0),)))


def test_every_event_is_of_the_shared_vocabulary(kernel: KernelEngine) -> None:
    for scenario in PROVING_GROUND:
        for event in kernel.run(scenario, Schedule()).events:
            assert event[0] in KINDS
            assert -1 <= event[1] < scenario.threads


def test_the_executed_schedule_replays_to_the_same_events(kernel: KernelEngine) -> None:
    for seed in range(50):
        kernel.native.load(REFERENCE)
        kernel.native.run_seed(seed)
        events, schedule = kernel.native.events(), kernel.native.schedule()
        again = kernel.run(REFERENCE, schedule)
        assert again.events == events
        assert again.schedule == schedule


def test_c_and_python_follow_a_schedule_alike(kernel: KernelEngine) -> None:
    for seed in range(20):
        made = kernel.run(SMOKE, RandomWalk(seed))
        assert kernel.run(SMOKE, made.schedule) == made
        assert kernel.run(SMOKE, Replay(made.schedule)) == made


def test_c_and_python_name_the_same_place_where_a_schedule_is_left(kernel: KernelEngine) -> None:
    for seed in range(60):
        draw = Random(seed)
        scenario = decode(draw.randbytes(97), "", profile_named("notifier")).scenario
        made = kernel.run(scenario, RandomWalk(seed)).schedule
        runs = [(thread, points + draw.choice((0, 0, 0, 7))) for thread, points in made.runs]
        choices = [choice + draw.choice((0, 0, 3)) for choice in made.choices]
        other = Schedule((*runs, (0, 5)) if seed % 2 else tuple(runs), (*choices, 1))
        followed = Replay(other)
        assert kernel.run(scenario, followed) == kernel.run(scenario, other)
        assert kernel.native.figures().diverged == followed.divergence() != ""
        kernel.run(scenario, made)
        assert kernel.native.figures().diverged == ""


def test_a_clean_race_shows_nothing_or_the_era_s_own_fault(kernel: KernelEngine) -> None:
    runs = list(explore(kernel.native, RACE, 1, 20_000, number=1))
    found = {
        violation.oracle
        for kept in runs
        for violation in judge(kept.trace.events, kernel.rules, 2, 2)
    }
    if "S2_HAS_PERMISSION_ONLY_RULE" in kernel.library.has:
        assert not found
        results = [e[4] for kept in runs for e in kept.trace.events if e[0] == RETURN]
        assert -EAGAIN in results
    else:
        assert {"C6", "G3"} <= found


def test_loop_b_stalls_the_old_rule_and_only_it(kernel: KernelEngine) -> None:
    scenario = Scenario((Slot(1 << 18, Backing.PUD),), ((Access(EXECUTE, 0),), (Access(WRITE, 0),)))
    stalls = 0
    for seed in range(60):
        trace = kernel.run(scenario, strategy("breaker", seed))
        found = judge(trace.events, kernel.rules, 2, 2)
        stalls += any(violation.oracle == "G1" for violation in found)
    assert bool(stalls) == ("S2_HAS_PERMISSION_ONLY_RULE" not in kernel.library.has)


def test_a_scheduler_that_breaks_its_rules_leaves_the_engine_usable(kernel: KernelEngine) -> None:
    class Wrong:
        """Chooses a thread that does not exist."""

        def begin(self, threads: int) -> None:
            """Nothing to prepare."""

        def next(self, view: View) -> tuple[int, int]:
            """A thread beyond the last."""
            return len(view.pending), 1

        def choose(self, options: int) -> int:
            """Never asked."""
            return 0

    with pytest.raises(ModelError, match="the scheduler chose"):
        kernel.run(RACE, Wrong())
    assert kernel.run(RACE, Schedule()).ended == "finished"


def test_classes_fold_most_schedules_of_a_small_race(kernel: KernelEngine) -> None:
    told = S2ExploreCounts()
    runs = list(explore(kernel.native, RACE, 1, 20_000, 2, told))
    assert told.runs == 20_000
    assert 1 < len(runs) < 1_000
    assert len({tuple(kept.trace.events) for kept in runs}) == len(runs)


def test_no_class_comes_twice_however_many_there_are(kernel: KernelEngine) -> None:
    crowd = Scenario(
        (Slot(4, logging=True),),
        tuple((Access(kind, 0), Access(WRITE, 1)) for kind in (READ, WRITE, EXECUTE)),
        ((HostOp(Op.LOG_GET), HostOp(Op.AGE)), (HostOp(Op.MOVE), HostOp(Op.UNPROTECT))),
    )
    seen = sum(1 for _ in explore(kernel.native, crowd, 1, 70_000, number=3))
    assert seen > 3 << 14, "the table never had to grow"
    assert not list(explore(kernel.native, crowd, 1, 70_000, number=3))
    assert list(explore(kernel.native, crowd, 1, 1, number=4)), "a scenario of its own"


def test_a_run_of_a_class_is_the_run_of_its_seed(kernel: KernelEngine) -> None:
    for kept in explore(kernel.native, RACE, 1, 2_000, number=5):
        kernel.native.run_seed(kept.seed)
        assert kernel.native.events() == kept.trace.events


@pytest.mark.parametrize(
    ("fault", "signal"), [("null-dereference", 11), ("shift-too-far", 4), ("endless-loop", 26)]
)
def test_wild_code_ends_as_a_crash_event_with_its_schedule(
    tree: Path, tmp_path: Path, fault: str, signal: int
) -> None:
    copy_tree(tree, tmp_path / "tree")
    (planted,) = (each for each in FAULTS if each.name == fault)
    assert plant(tmp_path / "tree", planted)
    engine = KernelEngine(build(tmp_path / "tree", tmp_path / "cache"))
    scenario = Scenario(
        vcpus=((Access(READ, 0), Access(READ, 0)),), hosts=((HostOp(Op.AGE), HostOp(Op.AGE)),)
    )
    *_, last = explore(engine.native, scenario, 1, 300)
    trace = last.trace
    assert trace.ended == "crash"
    assert (trace.events[-1][0], trace.events[-1][5]) == (CRASH, signal)
    assert engine.run(scenario, trace.schedule).events == trace.events


def test_teardown_gives_every_page_back(kernel: KernelEngine) -> None:
    for scenario in PROVING_GROUND:
        if scenario.options.teardown:
            assert kernel.run(scenario, Schedule()).ended == "finished"
            assert kernel.native.figures().live_pages == 0


def test_each_operation_of_the_host_runs_to_its_end(kernel: KernelEngine) -> None:
    for op in Op:
        scenario = Scenario(
            (Slot(4, logging=True),),
            ((Access(WRITE, 0), Access(READ, 1)),),
            ((HostOp(op), HostOp(Op.LOG_GET)),),
        )
        trace = kernel.run(scenario, Schedule(((0, 200),)))
        assert trace.ended == "finished", op
        assert sum(event[0] == ACCESS for event in trace.events) == 2, op
        assert not judge(trace.events, kernel.rules, 1, 2), op
