"""The coordinator's ticks on a real database, with workers played by the test."""

import urllib.request

import pytest
from sqlalchemy import Engine, select, update

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case
from stage2fuzz.coordinator import loop
from stage2fuzz.coordinator.metrics import MetricsServer
from stage2fuzz.findings import announcements, books, campaigns, leases, workers
from stage2fuzz.findings.campaign_tables import campaign, corpus, lease
from stage2fuzz.findings.corpus import Input
from stage2fuzz.findings.coverage import pack
from stage2fuzz.findings.figures import figures_of
from stage2fuzz.findings.leases import HeldLease
from stage2fuzz.findings.states import Part, State
from stage2fuzz.findings.store import Store
from stage2fuzz.oracles.violation import Category, Violation
from stage2fuzz.service.orders import (
    CampaignSpec,
    ConfirmResult,
    FuzzOrder,
    FuzzResult,
    MinimiseResult,
    Order,
    PruneOrder,
    PruneResult,
    RegressResult,
    Result,
    read_order,
)

SPEC = CampaignSpec(
    "night", ("model:v5.10",), ("map_race",), regress=("model:v5.10", "model:v5.12")
)
SEEN = Violation("C6", "no downgrade", Category.CORRECTNESS, "Gone.", (), "C6/page")


@pytest.fixture
def store(database: Engine) -> Store:
    workers.seen(database, Part.WORKER, "here:1", 2)
    campaigns.create(database, SPEC)
    return Store(database)


def ready(store: Store, kind: str = "fuzz") -> list[tuple[HeldLease, Order]]:
    """Claim every ready lease of a kind."""
    taken = []
    for number, each in announcements.unannounced(store.engine, 1, -1e9, 1000):
        if each == kind:
            held = leases.claim(store.engine, number, 1, "here:2")
            assert held is not None
            taken.append((held, read_order(held.body)))
    return taken


def commit(store: Store, held: HeldLease, result: Result, inputs: tuple[Input, ...] = ()) -> None:
    with store.engine.begin() as connection:
        assert leases.commit(connection, held, result, inputs)


def entry(name: str, *features: int) -> Input:
    digest = f"{int(name, 16):064x}"
    return Input("model:v5.10", "map_race", digest, b"x", pack(frozenset(features)))


def inputs_in(store: Store, state: str) -> set[str]:
    with store.engine.connect() as connection:
        rows = connection.execute(select(corpus.c.digest).where(corpus.c.state == state))
        return {row.digest.lstrip("0") for row in rows}


def test_a_finding_goes_all_the_way_and_each_step_once(store: Store) -> None:
    loop.tick(store, 1)
    held, _ = ready(store)[0]
    number = leases.report(store, held, Case(), SEEN, "")
    commit(store, held, FuzzResult(10, 1.0, findings=1))
    text = format_case(Case())
    steps: tuple[tuple[str, Result], ...] = (
        ("confirm", ConfirmResult(3, 3, True, "0 vCPU 0 walk\n")),
        ("minimise", MinimiseResult(text, 12)),
        ("regress", RegressResult(("model:v5.10",), ("model:v5.12",))),
    )
    for kind, result in steps:
        loop.tick(store, 1)
        loop.tick(store, 1)
        ((step, _),) = ready(store, kind)
        commit(store, step, result)
    loop.tick(store, 1)
    finding = store.get(number)
    assert (finding.state, finding.confirmations, finding.attempts) == (State.MINIMISED, 3, 3)
    assert (finding.first_seen_in, finding.fixed_in) == ("model:v5.10", "model:v5.12")
    assert finding.events == "0 vCPU 0 walk\n"
    assert figures_of(store.engine, 1).campaign.findings == 1


def test_what_is_handed_in_is_merged_once(store: Store) -> None:
    loop.tick(store, 1)
    (one, _), (two, _), *_ = ready(store)
    commit(store, one, FuzzResult(10, 1.0), (entry("a", 1, 2), entry("b", 2)))
    commit(store, two, FuzzResult(5, 2.0), (entry("a", 1, 2), entry("c", 3)))
    for _ in range(3):
        loop.tick(store, 1)
    figures = figures_of(store.engine, 1)
    assert (figures.campaign.schedules, figures.campaign.fuzz_seconds) == (15, 3.0)
    assert (inputs_in(store, "kept"), inputs_in(store, "dropped")) == ({"a", "c"}, {"b"})
    assert figures.features == 3
    (*_, (_, order)) = ready(store)
    assert isinstance(order, FuzzOrder)
    assert len(order.seeds) == 2


def test_a_tick_that_dies_leaves_nothing_behind(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop.tick(store, 1)
    held, _ = ready(store)[0]
    commit(store, held, FuzzResult(10, 1.0), (entry("a", 1),))
    with monkeypatch.context() as broken:
        broken.setattr(loop, "_next_state", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            loop.tick(store, 1)
    assert figures_of(store.engine, 1).campaign.schedules == 0
    assert inputs_in(store, "new") == {"a"}
    loop.tick(store, 1)
    assert figures_of(store.engine, 1).campaign.schedules == 10


def test_messages_are_sent_again_only_when_they_may_be_lost(store: Store) -> None:
    loop.tick(store, 1)
    sent: list[tuple[str, int, int]] = []

    def send(kind: str, number: int, which: int) -> None:
        sent.append((kind, number, which))

    assert loop.announce(store, 1, send) == 4
    assert loop.announce(store, 1, send) == 0
    with store.engine.begin() as connection:
        connection.execute(update(lease).values(announced=lease.c.announced - 31))
    assert loop.announce(store, 1, send) == 4
    assert sent == [("fuzz", 1, number) for number in (1, 2, 3, 4)] * 2


def test_a_broker_that_is_away_costs_no_message(store: Store) -> None:
    loop.tick(store, 1)
    sent: list[int] = []

    def fails_at_the_third(_kind: str, _number: int, which: int) -> None:
        if len(sent) == 2:
            raise OSError("away")
        sent.append(which)

    assert loop.announce(store, 1, fails_at_the_third) == 2
    assert loop.announce(store, 1, lambda *_: None) == 2


def test_the_seeds_of_an_order_that_kills_workers_are_looked_at(store: Store) -> None:
    loop.tick(store, 1)
    held, _ = ready(store)[0]
    commit(store, held, FuzzResult(10, 1.0), (entry("a", 1), entry("b", 2)))
    loop.tick(store, 1)
    deadly = [held for held, order in ready(store) if isinstance(order, FuzzOrder) and order.seeds]
    with store.engine.begin() as connection:
        poisoned = {"state": "poisoned", "failure": "it died"}
        connection.execute(update(lease).where(lease.c.id == deadly[0].lease).values(poisoned))
    loop.tick(store, 1)
    ((prune, order),) = ready(store, "prune")
    assert isinstance(order, PruneOrder)
    assert [seed.lstrip("0") for seed in order.seeds] == ["a", "b"]
    commit(store, prune, PruneResult(2, (order.seeds[1],)))
    loop.tick(store, 1)
    assert (inputs_in(store, "kept"), inputs_in(store, "killer")) == ({"a"}, {"b"})


def test_a_campaign_whose_orders_all_fail_is_paused_and_says_why(store: Store) -> None:
    for _ in range(loop.MAX_FAILURES):
        loop.tick(store, 1)
        held, _ = ready(store)[0]
        with store.engine.begin() as connection:
            failed = {"state": "poisoned", "failure": "no such target"}
            connection.execute(update(lease).where(lease.c.id == held.lease).values(failed))
    assert loop.tick(store, 1)
    assert not loop.tick(store, 1)
    figures = figures_of(store.engine, 1)
    assert figures.campaign.state == "paused"
    assert "no such target" in figures.campaign.note


def test_no_time_passes_without_a_worker_nor_in_a_jump(store: Store) -> None:
    def elapsed() -> float:
        loop.tick(store, 1)
        return figures_of(store.engine, 1).campaign.elapsed

    with store.engine.begin() as connection:
        connection.execute(update(campaign).values(ticked=campaign.c.ticked - 3600))
    assert elapsed() == books.LONGEST_TICK
    with store.engine.begin() as connection:
        connection.execute(update(campaign).values(ticked=campaign.c.ticked + 3600))
    assert elapsed() == books.LONGEST_TICK
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE worker SET seen = 0")
        connection.execute(update(campaign).values(ticked=campaign.c.ticked - 3600))
    assert elapsed() == books.LONGEST_TICK


def test_the_figures_page_says_what_status_says(store: Store) -> None:
    loop.tick(store, 1)
    held, _ = ready(store)[0]
    commit(store, held, FuzzResult(10, 1.0), (entry("a", 1, 2),))
    loop.tick(store, 1)
    server = MetricsServer(("127.0.0.1", 0))
    try:
        server.record.every = [figures_of(store.engine, 1)]
        status, text = get(server, "/metrics")
        assert status == 200
        assert 'stage2fuzz_schedules_total{campaign="night"} 10.0\n' in text
        assert 'stage2fuzz_features{campaign="night"} 2.0\n' in text
        assert 'stage2fuzz_orders{campaign="night",state="committed"} 1.0\n' in text
        assert get(server, "/healthz") == (200, "ok\n")
        server.alive = never
        assert get(server, "/healthz")[0] == 503
        assert get(server, "/etc/passwd")[0] == 404
        assert get(server, "/metrics/../etc")[0] == 404
    finally:
        server.close()


def get(server: MetricsServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def never() -> bool:
    return False
