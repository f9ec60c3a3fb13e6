"""A record that can't be used costs its own order, or at most its own campaign."""

import json

import pytest
from sqlalchemy import Engine, select, update

from stage2fuzz.case.case import Case
from stage2fuzz.coordinator import loop
from stage2fuzz.coordinator.plan import plan
from stage2fuzz.errors import InputError
from stage2fuzz.findings import announcements, campaigns, leases, workers
from stage2fuzz.findings.campaign_tables import campaign, lease, result
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.figures import figures_of
from stage2fuzz.findings.leases import HeldLease
from stage2fuzz.findings.outage import OutageError, RefusalError, patiently
from stage2fuzz.findings.states import CampaignState, Part
from stage2fuzz.findings.store import Store
from stage2fuzz.oracles.violation import Category, Violation
from stage2fuzz.service.orders import CampaignSpec, FuzzResult, MinimiseResult

SPEC = CampaignSpec("night", ("model:v5.10",), ("map_race",))
DAY = CampaignSpec("day", ("model:v5.10",), ("map_race",))
GOOD = {"is": "fuzzed", "schedules": 10, "seconds": 1.0}
BAD_RESULTS = {
    "not a number": json.dumps(GOOD | {"seconds": float("nan")}),
    "infinite": json.dumps(GOOD | {"seconds": float("inf")}),
    "negative": json.dumps(GOOD | {"schedules": -1}),
    "huge": json.dumps(GOOD | {"schedules": 10**30}),
    "of a later version": json.dumps(GOOD | {"colour": "red"}),
    "of another kind": json.dumps({"is": "pruned", "measured": 1}),
    "an order": json.dumps({"is": "prune", "engine": "model:v5.10"}),
    "no JSON": "\x1b[31m",
    "no work at all": json.dumps(GOOD | {"schedules": 0, "ended": "timeout"}),
}


@pytest.fixture
def store(database: Engine) -> Store:
    workers.seen(database, Part.WORKER, "here:1", 2)
    for spec in (SPEC, DAY):
        campaigns.create(database, spec)
    return Store(database)


def claim(store: Store, number: int) -> HeldLease:
    """Claim the first ready order of a campaign."""
    waiting = announcements.unannounced(store.engine, number, -1e9, 1)
    held = leases.claim(store.engine, waiting[0][0], number, "here:2")
    assert held is not None
    return held


def hand_in(store: Store, held: HeldLease, body: str) -> None:
    """Write a result as an older or a broken worker might have written it."""
    with store.engine.begin() as connection:
        connection.execute(update(lease).where(lease.c.id == held.lease).values(state="committed"))
        connection.execute(
            result.insert().values(
                lease_id=held.lease,
                campaign_id=held.campaign,
                body=body,
                committed=now(),
                merged=False,
            )
        )


def turn(store: Store) -> None:
    """One round of the coordinator over all campaigns."""
    for number in campaigns.active(store.engine):
        loop._step(store, number, lambda *_: None, 30.0)


@pytest.mark.parametrize("kind", BAD_RESULTS)
def test_a_bad_result_is_a_failure_of_its_own_order(store: Store, kind: str) -> None:
    turn(store)
    bad, good, other = claim(store, 1), claim(store, 1), claim(store, 2)
    hand_in(store, bad, BAD_RESULTS[kind])
    for held in (good, other):
        with store.engine.begin() as connection:
            assert leases.commit(connection, held, FuzzResult(10, 1.0), [])
    turn(store)
    turn(store)
    for number in (1, 2):
        record = figures_of(store.engine, number).campaign
        assert (record.state, record.schedules) == (CampaignState.RUNNING, 10)
    assert announcements.unannounced(store.engine, 1, -1e9, 10)


def test_an_order_of_another_version_fails_by_itself(store: Store) -> None:
    turn(store)
    held = claim(store, 1)
    with store.engine.begin() as connection:
        changed = update(lease).where(lease.c.id == held.lease)
        connection.execute(changed.values(body='{"is": "dream"}'))
    hand_in(store, held, json.dumps(GOOD))
    turn(store)
    record = figures_of(store.engine, 1).campaign
    assert (record.state, record.schedules, record.failures) == (CampaignState.RUNNING, 0, 1)


def test_an_old_order_without_a_later_field_still_counts(store: Store) -> None:
    turn(store)
    held = claim(store, 1)
    with store.engine.begin() as connection:
        changed = update(lease).where(lease.c.id == held.lease)
        old = json.loads(held.body)
        del old["seeds"]
        connection.execute(changed.values(body=json.dumps(old)))
    hand_in(store, held, json.dumps(GOOD))
    turn(store)
    assert figures_of(store.engine, 1).campaign.schedules == 10


def test_a_result_that_is_refused_leaves_nothing_behind(store: Store) -> None:
    """The smaller case is of another engine than the finding: no part of it may be kept."""
    turn(store)
    held = claim(store, 1)
    seen = Violation("C6", "rule", Category.CORRECTNESS, "Gone.", (), "C6/page")
    number = leases.report(store, held, Case(), seen, "")
    order = {"is": "minimise", "finding": number, "signature": "C6/page", "case": "x"}
    with store.engine.begin() as connection:
        changed = update(lease).where(lease.c.id == held.lease)
        connection.execute(changed.values(body=json.dumps(order)))
    text = store.get(number).case_text.replace("v5.10", "v5.12")
    with store.engine.begin() as connection:
        assert leases.commit(connection, held, MinimiseResult(text, 1), [])
    turn(store)
    assert store.get(number).minimised == ""
    assert figures_of(store.engine, 1).campaign.failures == 1
    assert figures_of(store.engine, 1).campaign.state is CampaignState.RUNNING


def test_a_campaign_whose_spec_can_t_be_read_is_paused_and_the_others_go_on(store: Store) -> None:
    with store.engine.begin() as connection:
        changed = update(campaign).where(campaign.c.id == 1)
        connection.execute(changed.values(spec='{"is": "campaign", "name": "night"}'))
    turn(store)
    first, second = campaigns.every(store.engine)
    assert first.state is CampaignState.PAUSED
    assert "the coordinator failed: record: " in first.note
    assert (second.state, second.note) == (CampaignState.RUNNING, "")
    assert figures_of(store.engine, 2).leases == {"ready": 4}


def test_our_own_bug_in_one_campaign_stops_no_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = lambda view: 1 / 0 if view.spec.name == "night" else plan(view)  # noqa: E731
    monkeypatch.setattr(loop, "plan", broken)
    turn(store)
    first, second = campaigns.every(store.engine)
    assert first.state is CampaignState.PAUSED
    assert "division by zero" in first.note
    assert second.state is CampaignState.RUNNING
    assert figures_of(store.engine, 2).leases == {"ready": 4}


def test_a_worker_s_bad_result_is_refused_before_it_is_written(store: Store) -> None:
    turn(store)
    held = claim(store, 1)
    with pytest.raises(InputError), store.engine.begin() as connection:
        leases.commit(connection, held, FuzzResult(1, float("nan")), [])
    with store.engine.connect() as connection:
        assert connection.execute(select(result)).all() == []
        assert connection.execute(
            select(lease.c.state).where(lease.c.id == held.lease)
        ).scalar() == ("leased")


def test_a_value_that_the_database_refuses_is_no_outage(store: Store) -> None:
    tries: list[int] = []

    def refused() -> None:
        tries.append(1)
        with store.engine.begin() as connection:
            connection.execute(campaign.insert().values(name="x"))

    with pytest.raises(RefusalError) as caught:
        patiently(refused, seconds=30)
    assert not isinstance(caught.value, OutageError)
    assert len(tries) == 1


def test_a_database_that_is_away_is_asked_again_with_growing_pauses() -> None:
    tries: list[int] = []

    def away_twice() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise OutageError("SELECT 1", None, OSError("away"))
        return "back"

    assert patiently(away_twice) == "back"
    assert len(tries) == 3
    with pytest.raises(ZeroDivisionError):
        patiently(lambda: 1 / 0, (ZeroDivisionError,), seconds=0.3)


def test_orders_cut_short_are_counted_by_what_ended_them(store: Store) -> None:
    turn(store)
    for ended in ("timeout", "timeout", "ok"):
        held = claim(store, 1)
        with store.engine.begin() as connection:
            assert leases.commit(connection, held, FuzzResult(10, 1.0, ended=ended), [])
    assert figures_of(store.engine, 1).limits == {"timeout": 2}
