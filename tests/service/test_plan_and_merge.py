"""Planning and merging are functions: every promise can be asked of them without a server."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as change

from stage2fuzz.coordinator.merge import Candidate, merge, superfluous
from stage2fuzz.coordinator.plan import (
    ORDER_OVERHEAD,
    ORDERS_PER_SLOT,
    SEEDS_PER_ORDER,
    CampaignView,
    FindingProgress,
    Stream,
    overdue,
    plan,
    reserve,
)
from stage2fuzz.service.orders import (
    REAL,
    CampaignSpec,
    ConfirmOrder,
    FuzzOrder,
    MinimiseOrder,
    PruneOrder,
    RealOrder,
    RegressOrder,
    Strategy,
    read_order,
    to_json,
)

SPEC = CampaignSpec(
    "night",
    ("model:v5.10", "model:v5.12"),
    ("map_race", "notifier"),
    order_seconds=20,
    regress=("model:v5.10", "model:v5.12"),
)
FINDING = FindingProgress(7, "C6/page", "case\n")
BUILT = FindingProgress(8, "C6/page", "case\n", "32b4f4411955222c15a59d2c")
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.integers(0, 99).map(lambda n: f"{n:064x}"),
        st.integers(1, 50),
        st.frozensets(st.integers(0, 20), max_size=6),
    ),
    unique_by=lambda each: each.digest,
    max_size=12,
)


def fuzz_orders(view: CampaignView) -> list[FuzzOrder]:
    return [order for order in plan(view).values() if isinstance(order, FuzzOrder)]


def test_every_slot_has_one_order_and_one_in_waiting() -> None:
    assert len(plan(CampaignView(SPEC, slots=3))) == 3 * ORDERS_PER_SLOT
    assert len(plan(CampaignView(SPEC, slots=3, open_orders=4))) == 2
    assert plan(CampaignView(SPEC, slots=3, open_orders=60)) == {}
    assert len(plan(CampaignView(change(SPEC, parallel=1), slots=3))) == ORDERS_PER_SLOT
    assert plan(CampaignView(SPEC, slots=0)) == {}


def test_engines_and_targets_take_turns_and_seeds_differ() -> None:
    orders = fuzz_orders(CampaignView(SPEC, slots=4))
    assert {(each.engine, each.target) for each in orders} == {
        (engine, target) for engine in SPEC.engines for target in SPEC.targets
    }
    assert len({each.seed for each in orders}) == len(orders)
    for each in orders:
        assert read_order(to_json(each)) == each


def test_the_same_record_gives_the_same_plan() -> None:
    view = CampaignView(SPEC, planned=40, slots=4, waiting=(FINDING,))
    assert plan(view) == plan(view)
    assert list(plan(view)) == ["confirm:7", *(f"fuzz:{number}" for number in range(40, 47))]


def test_orders_in_work_at_once_start_from_different_seeds() -> None:
    seeds = tuple(f"{number:064x}" for number in range(3 * SEEDS_PER_ORDER + 1))
    spec = change(SPEC, engines=SPEC.engines[:1], targets=SPEC.targets[:1])
    orders = fuzz_orders(
        CampaignView(spec, slots=2, streams=(Stream("model:v5.10", "map_race", seeds),))
    )
    handed = [seed for each in orders for seed in each.seeds]
    assert sorted(handed) == sorted(seeds)
    assert max(len(each.seeds) for each in orders) <= SEEDS_PER_ORDER


def test_a_fresh_campaign_shares_no_corpus() -> None:
    spec = change(SPEC, strategy=Strategy.FRESH)
    view = CampaignView(spec, slots=4, streams=(Stream("model:v5.10", "map_race", ("ab" * 32,)),))
    assert all(not each.seeds for each in fuzz_orders(view))


def test_each_budget_ends_the_fuzzing_and_not_the_follow_ups() -> None:
    for spent in (
        CampaignView(change(SPEC, seconds=60), elapsed=48.0, slots=2),
        CampaignView(change(SPEC, schedules=10**6), schedules=10**6, slots=2),
        CampaignView(change(SPEC, findings=2), findings=2, slots=2),
        CampaignView(SPEC, draining=True, slots=2),
    ):
        assert plan(spent) == {}
        assert list(plan(replace(spent, waiting=(FINDING,)))) == ["confirm:7"]


@pytest.mark.parametrize("seconds", [10, 60, 120, 3600])
def test_no_fuzz_order_reaches_into_the_time_for_what_was_found(seconds: int) -> None:
    """Each order begins at once or after the one before it, and ends before the reserve does."""
    spec = change(SPEC, seconds=seconds)
    for elapsed in range(seconds + 1):
        orders = fuzz_orders(CampaignView(spec, elapsed=float(elapsed), slots=1))
        begins = float(elapsed)
        for each in orders:
            begins += each.seconds + ORDER_OVERHEAD
        assert not orders or begins <= seconds - reserve(seconds) + ORDER_OVERHEAD


def test_a_minimise_order_ends_before_its_campaign() -> None:
    spec = change(SPEC, seconds=60)
    for elapsed, seconds in ((0.0, 55), (40.0, 15), (58.0, 1)):
        view = CampaignView(spec, elapsed=elapsed, waiting=(replace(FINDING, confirmed=True),))
        order = plan(view)["minimise:7"]
        assert isinstance(order, MinimiseOrder)
        assert order.seconds == seconds


def test_when_the_whole_time_is_up_nothing_more_is_begun() -> None:
    view = CampaignView(change(SPEC, seconds=60), elapsed=60.0, slots=2, waiting=(FINDING,))
    assert overdue(view)
    assert plan(view) == {}


def test_a_finding_is_confirmed_then_minimised_then_tried_elsewhere_each_once() -> None:
    view = CampaignView(SPEC, draining=True)
    stages = (
        (FINDING, ConfirmOrder, "confirm:7"),
        (replace(FINDING, confirmed=True), MinimiseOrder, "minimise:7"),
        (replace(FINDING, confirmed=True, minimised=True), RegressOrder, "regress:7"),
    )
    for finding, kind, label in stages:
        orders = plan(replace(view, waiting=(finding,)))
        assert {name: type(order) for name, order in orders.items()} == {label: kind}
        assert plan(replace(view, waiting=(finding,), labels=frozenset((label,)))) == {}
    done = replace(FINDING, confirmed=True, minimised=True, regressed=True)
    assert plan(replace(view, waiting=(done,))) == {}


def test_a_finding_of_a_tree_is_tried_on_a_real_kernel_where_somebody_has_one() -> None:
    spec = change(SPEC, real=3, regress=())
    found = replace(BUILT, confirmed=True, minimised=True)
    view = CampaignView(spec, draining=True, real=True, waiting=(found,))
    label = f"{REAL}:8:{BUILT.build}"
    assert plan(view) == {label: RealOrder(8, BUILT.signature, BUILT.case, 3)}
    for nothing in (
        replace(view, real=False),
        replace(view, spec=change(spec, real=0)),
        replace(view, waiting=(replace(found, tried=True),)),
        replace(view, waiting=(replace(found, build=""),)),
        replace(view, labels=frozenset((label,))),
    ):
        assert plan(nothing) == {}


def test_what_another_build_confirmed_is_confirmed_anew() -> None:
    labels = frozenset({"confirm:8:" + "0" * 24})
    orders = plan(CampaignView(SPEC, draining=True, waiting=(BUILT,), labels=labels))
    assert list(orders) == [f"confirm:8:{BUILT.build}"]


def test_suspects_are_looked_at_one_by_one() -> None:
    stream = Stream("model:v5.10", "map_race", suspects=("ab" * 32,))
    orders = list(plan(CampaignView(SPEC, draining=True, streams=(stream,))).values())
    assert orders == [PruneOrder("model:v5.10", "map_race", ("ab" * 32,))]


@given(CANDIDATES, st.frozensets(st.integers(0, 20), max_size=6))
def test_merging_loses_no_feature_and_keeps_nothing_without_one(
    candidates: list[Candidate], known: frozenset[int]
) -> None:
    merged = merge(known, candidates)
    features = {each.digest: each.features for each in candidates}
    assert merged.known == known.union(*features.values())
    assert merged.known == known.union(*(features[digest] for digest in merged.kept))
    assert sorted((*merged.kept, *merged.dropped)) == sorted(features)
    for digest in merged.kept:
        assert not features[digest] <= known


@given(CANDIDATES)
def test_merging_does_not_depend_on_the_order_of_arrival(candidates: list[Candidate]) -> None:
    assert merge(frozenset(), candidates) == merge(frozenset(), reversed(candidates))


@given(CANDIDATES)
def test_merging_again_changes_nothing(candidates: list[Candidate]) -> None:
    merged = merge(frozenset(), candidates)
    again = merge(merged.known, candidates)
    assert again.kept == ()
    assert again.known == merged.known


def test_pruning_leaves_out_what_another_input_shows_as_well() -> None:
    small = Candidate("a", 1, frozenset((1,)))
    large = Candidate("b", 9, frozenset((1, 2)))
    assert superfluous([small, large]) == ("a",)


@given(CANDIDATES)
def test_pruning_leaves_out_only_what_others_show(candidates: list[Candidate]) -> None:
    spare = superfluous(candidates)
    left = [each for each in candidates if each.digest not in spare]
    every = frozenset().union(*(each.features for each in candidates))
    assert frozenset().union(*(each.features for each in left)) == every
    assert superfluous(left) == ()
