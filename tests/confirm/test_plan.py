"""A run's switches become anchors: what must be kept is kept, and nothing more is asked for."""

from pathlib import Path

from stage2fuzz.case.text import parse, read_case
from stage2fuzz.confirm.anchors import STATEMENTS, Anchor
from stage2fuzz.confirm.plan import Plan, PlannedStep, Stop, ends_of_items, make_plan
from stage2fuzz.run import run

CASES = Path(__file__).resolve().parent.parent / "cases"


def plan_of(text: str) -> Plan:
    outcome = run(parse(text, "a test"))
    return make_plan(outcome.case.scenario, outcome.events)


def steps(plan: Plan) -> list[tuple[int, Anchor, int]]:
    return [(step.thread, step.stop.anchor, step.stop.item) for step in plan.steps]


def test_the_lost_dirty_page_is_eight_steps_at_functions_that_every_kernel_has() -> None:
    case = read_case(CASES / "bad_v7_3_relax_of_a_block_loses_dirty_pages.case")
    outcome = run(case)
    plan = make_plan(case.scenario, outcome.events)
    assert plan.lost == 0
    assert steps(plan) == [
        (0, Anchor.FAULT, 1),
        (2, Anchor.ITEM, 1),
        (0, Anchor.LOOKED_UP, 1),
        (2, Anchor.PUBLISHED, 1),
        (1, Anchor.LOOKED_UP, 0),
        (0, Anchor.ITEM, 2),
        (2, Anchor.ITEM, 2),
        (1, Anchor.ITEM, 2),
    ]


def test_with_source_lines_a_thread_is_held_at_its_lock_which_need_not_be_learnt() -> None:
    case = read_case(CASES / "bad_v7_3_relax_of_a_block_loses_dirty_pages.case")
    outcome = run(case)
    functions = make_plan(case.scenario, outcome.events)
    lines = make_plan(case.scenario, outcome.events, STATEMENTS)
    assert Anchor.LOOKED_UP in functions.anchors
    assert not functions.anchors & STATEMENTS
    assert [each for each in steps(lines) if each[1] in STATEMENTS] == [
        (0, Anchor.LOCK, 1),
        (1, Anchor.LOCK, 0),
    ]
    assert Anchor.LOOKED_UP not in lines.anchors
    assert lines.lost == functions.lost == 0


def test_threads_that_do_not_meet_run_one_after_another() -> None:
    plan = plan_of(
        "stage2fuzz case 1\nengine model:v6.12\nslot 0: pages 1\nslot 1: pages 1\n"
        "vcpu 0: write 0\nvcpu 1: write 1/0\nschedule 0*9 1*9 0*9 1*9\nend\n"
    )
    assert len(plan.steps) <= 4
    assert plan.lost == 0
    assert {step.thread for step in plan.steps} == {0, 1}


def test_a_window_between_break_and_make_is_held_at_the_flush() -> None:
    case = read_case(CASES / "bad_situation_2_caught_in_the_window.case")
    outcome = run(case)
    plan = make_plan(case.scenario, outcome.events)
    assert Anchor.FLUSH_PAGE in plan.anchors


def test_every_plan_ends_with_each_thread_done() -> None:
    for path in sorted(CASES.glob("bad_v*.case")):
        case = read_case(path)
        outcome = run(case)
        plan = make_plan(case.scenario, outcome.events)
        last: dict[int, PlannedStep] = {step.thread: step for step in plan.steps}
        for thread, step in last.items():
            threads = (*case.scenario.vcpus, *case.scenario.hosts)
            assert step.stop == Stop(len(threads[thread]), Anchor.ITEM, 1), path.name


def test_the_control_has_every_item_once_in_the_order_of_their_ends() -> None:
    case = read_case(CASES / "bad_v7_3_relax_of_a_block_loses_dirty_pages.case")
    order = ends_of_items(case.scenario, run(case).events)
    assert sorted(order) == [0, 0, 1, 1, 2, 2]
    assert order.index(1) > order.index(2)
