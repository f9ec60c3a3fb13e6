"""Comparing engines: what means the same is the same, and each real difference is told once."""

from collections import Counter

import pytest

from stage2fuzz.arch import READ, WRITE
from stage2fuzz.case.scenario import Access, HostOp, Op, Scenario, Slot
from stage2fuzz.run import run
from stage2fuzz.studies import compare as module
from stage2fuzz.studies.compare import SHOWN, compare, shows, suspicions
from stage2fuzz.studies.compare_apart import compare_apart
from stage2fuzz.studies.comparison import Change, Comparison
from stage2fuzz.studies.hunt.ground import Ground
from stage2fuzz.studies.observe import observe, work

RACE = Scenario(slots=(Slot(logging=True),), vcpus=((Access(WRITE, 0),), (Access(READ, 0),)))
REMAP = Scenario(slots=(Slot(4),), vcpus=((Access(WRITE, 0),),), hosts=((HostOp(Op.MOVE),),))


def changes(found: Comparison) -> Counter[Change]:
    return Counter(each.change for each in found.differences)


def test_an_engine_means_the_same_as_itself() -> None:
    found = compare("model:v5.10", "model:v5.10", scenarios=(RACE, REMAP))
    assert found.differences == ()
    assert found.exit_code == 0
    assert found.runs > 80


def test_patch_1_changes_no_meaning() -> None:
    found = compare("model:v5.10", "model:v5.10+p1", scenarios=(RACE, REMAP))
    assert found.exit_code == 0, [each.verdict for each in found.differences]


def test_what_the_series_changes_is_judged() -> None:
    found = compare("model:v5.10", "model:v5.12", scenarios=(RACE,))
    assert found.exit_code == 1
    assert {"C6", "G3"} <= {each.topic for each in found.of(Change.LOST_VIOLATION)}
    assert any("returns -11" in each.verdict for each in found.of(Change.OUTCOME))
    assert not found.of(Change.NEW_VIOLATION)


def test_the_other_way_round_the_same_violations_are_new() -> None:
    found = compare("model:v5.12", "model:v5.10", scenarios=(RACE,))
    assert {"C6", "G3"} <= {each.topic for each in found.of(Change.NEW_VIOLATION)}


@pytest.mark.parametrize(
    ("bug", "topic"),
    [("page-not-released", "leaks"), ("no-dirty-mark", "dirty log")],
)
def test_leaks_and_the_dirty_log_are_compared(bug: str, topic: str) -> None:
    found = compare("model:v5.10", f"model:v5.10!{bug}", scenarios=(RACE,))
    assert topic in {each.topic for each in found.differences}


def test_the_cases_of_a_difference_show_it_on_one_side_alone() -> None:
    found = compare("model:v5.12", "model:v5.10", scenarios=(RACE,))
    for each in found.of(Change.NEW_VIOLATION):
        assert each.before is not None
        assert each.after is not None
        after = run(each.after)
        wanted = [one for one in suspicions(after, 1) if one.signature == each.signature]
        assert wanted
        assert not shows(run(each.before), wanted[0])


def test_a_comparison_apart_says_the_same() -> None:
    headway: list[float] = []
    apart = compare_apart(
        "model:v5.10",
        "model:v5.12",
        scenarios=(RACE,),
        progress=lambda each: headway.append(each.done),
    )
    here = compare("model:v5.10", "model:v5.12", scenarios=(RACE,))
    assert apart.differences == here.differences
    assert headway


def test_a_difference_was_not_met_by_luck() -> None:
    found = compare("model:v5.10", "model:v5.12", scenarios=(RACE,))
    assert all(each.tried == 1 or each.tried >= 2 * SHOWN for each in found.differences)


def test_observations_hold_no_order_and_work_holds_no_outcome() -> None:
    found = compare("model:v5.10", "model:v5.10", scenarios=(RACE,))
    assert not found.differences
    atoms = observe([], RACE)
    assert atoms == frozenset()
    assert not work([])


def test_what_had_no_time_is_gone_on_with_and_told_where_it_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A comparison whose trials get no time at all says which are open, and how far they are."""
    monkeypatch.setattr(module, "GRACE", 0.0)
    monkeypatch.setattr(Ground, "returning", lambda _: [RACE])
    monkeypatch.setattr(module, "SHOWN", 3)
    engines = "model:v5.12", "model:v5.10"
    cut = compare(*engines, seconds=0.01)
    left = {each.signature for each in cut.untried}
    assert any(each.change is Change.NEW_VIOLATION for each in cut.untried)
    assert not left & {each.signature for each in cut.differences}
    assert all(each.before is not None and each.after is not None for each in cut.untried)
    monkeypatch.setattr(module, "GRACE", 60.0)
    whole = compare(*engines, seconds=0.01)
    assert not whole.untried
    assert left & {each.signature for each in whole.differences}
