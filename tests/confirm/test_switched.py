"""Cases of one or two forced switches: what is drawn, and what a plan of it keeps."""

from itertools import islice

from stage2fuzz.confirm.anchors import Anchor
from stage2fuzz.confirm.plan import make_plan
from stage2fuzz.confirm.switched import SWITCHES, THREADS, SwitchedCase, draw_switched
from stage2fuzz.run import run

ENGINE = "model:v6.12"


def drawn(how_many: int) -> list[SwitchedCase]:
    return list(islice(filter(None, (draw_switched(ENGINE, seed) for seed in range(99))), how_many))


def test_each_case_leaves_one_or_two_threads_inside_an_item_and_loses_no_order() -> None:
    cases = drawn(5)
    assert len(cases) == 5
    for each in cases:
        assert each.case.scenario.threads == THREADS
        inside = [step for step in each.plan.steps if step.stop.anchor is not Anchor.ITEM]
        assert len(inside) in SWITCHES
        assert each.plan.lost == 0


def test_a_seed_draws_the_same_case_and_its_schedule_runs_the_same() -> None:
    (first,) = drawn(1)
    assert draw_switched(ENGINE, first.seed) == first
    again = run(first.case)
    assert again.events == first.events
    assert make_plan(first.case.scenario, again.events, depths=True) == first.plan
