"""The lease protocol: one holder, no late write, nothing lost, nothing twice."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, func, select, update

from stage2fuzz.case.case import Case
from stage2fuzz.errors import InputError
from stage2fuzz.findings import announcements, books, campaigns, leases, workers
from stage2fuzz.findings.campaign_tables import corpus, lease, result
from stage2fuzz.findings.corpus import Corpus, Input
from stage2fuzz.findings.coverage import pack
from stage2fuzz.findings.figures import figures_of
from stage2fuzz.findings.leases import HeldLease
from stage2fuzz.findings.states import Part
from stage2fuzz.findings.store import Store
from stage2fuzz.oracles.violation import Category, Violation
from stage2fuzz.service.orders import CampaignSpec, Failure, FuzzOrder, FuzzResult, read_order

SPEC = CampaignSpec("night", ("model:v5.10",), ("map_race",))
DIGEST = "ab" * 32
INPUT = Input("model:v5.10", "map_race", DIGEST, b"input", pack(frozenset((1, 2))))


def start(database: Engine, orders: int = 1) -> int:
    campaign = campaigns.create(database, SPEC)
    with books.opened(database, campaign) as book:
        assert book is not None
        book.add(
            {
                f"fuzz:{number}": FuzzOrder(number, "model:v5.10", "map_race", 5, number)
                for number in range(orders)
            }
        )
    return campaign


def claim(database: Engine, number: int = 1, campaign: int = 1) -> HeldLease:
    held = leases.claim(database, number, campaign, "me")
    assert held is not None
    return held


def commit(database: Engine, held: HeldLease) -> bool:
    with database.begin() as connection:
        return leases.commit(connection, held, FuzzResult(10, 1.0), [INPUT])


def expire(database: Engine, seconds: float = 1000.0) -> None:
    """Move the deadlines instead of the clock: what counts is their difference."""
    with database.begin() as connection:
        connection.execute(update(lease).values(deadline=lease.c.deadline - seconds))


def states(database: Engine) -> list[str]:
    with database.connect() as connection:
        return list(connection.execute(select(lease.c.state).order_by(lease.c.id)).scalars())


def sweep(database: Engine) -> int:
    with database.begin() as connection:
        return leases.sweep(connection, 1)


def test_only_one_of_many_gets_a_lease(database: Engine) -> None:
    campaign = start(database)
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda n: leases.claim(database, 1, campaign, f"w{n}"), range(24)))
    held = [each for each in claims if each is not None]
    assert len(held) == 1
    assert (held[0].kind, held[0].epoch, held[0].attempt) == ("fuzz", 1, 1)
    order = read_order(held[0].body)
    assert isinstance(order, FuzzOrder)


def test_a_result_is_written_once(database: Engine) -> None:
    start(database)
    held = claim(database)
    assert commit(database, held)
    assert not commit(database, held)
    with database.connect() as connection:
        assert connection.execute(select(func.count()).select_from(result)).scalar_one() == 1
        assert connection.execute(select(func.count()).select_from(corpus)).scalar_one() == 1
    assert leases.claim(database, 1, 1, "late") is None


def test_a_silent_worker_loses_its_lease_and_its_late_write_is_refused(database: Engine) -> None:
    start(database)
    zombie = claim(database)
    assert sweep(database) == 0
    expire(database)
    assert sweep(database) == 1
    successor = claim(database)
    assert successor.epoch == zombie.epoch + 1
    assert not leases.heartbeat(database, zombie)
    assert not commit(database, zombie)
    assert not leases.fail(database, zombie, "too late")
    assert leases.heartbeat(database, successor)
    assert commit(database, successor)


def test_a_late_worker_that_nobody_replaced_may_still_write(database: Engine) -> None:
    start(database)
    held = claim(database)
    expire(database)
    sweep(database)
    assert leases.heartbeat(database, held)
    assert states(database) == ["leased"]
    expire(database)
    sweep(database)
    assert commit(database, held)


def test_what_the_end_cut_short_is_counted_once_and_only_by_who_holds_it(database: Engine) -> None:
    campaign = start(database)
    zombie = claim(database)
    expire(database)
    sweep(database)
    held = claim(database)
    done = FuzzResult(70, 1.5, ended="cut short")

    def cut_short(by: leases.HeldLease) -> bool:
        with database.begin() as connection:
            return leases.cut_short(connection, by, done)

    assert leases.is_wanted(database, held)
    assert not leases.is_wanted(database, zombie)
    assert not cut_short(held)
    assert leases.to_hand_in(database, campaign) == 0
    campaigns.stop(database, campaign)
    assert not leases.is_wanted(database, held)
    assert leases.to_hand_in(database, campaign) == 1
    assert not cut_short(zombie)
    assert cut_short(held)
    assert not cut_short(held)
    assert not commit(database, held)
    assert leases.to_hand_in(database, campaign) == 0
    figures = figures_of(database, campaign)
    assert (figures.campaign.schedules, figures.campaign.fuzz_seconds) == (70, 1.5)
    assert figures.limits == {"cut short": 1}


def test_a_worker_that_is_silent_for_long_is_not_waited_for(database: Engine) -> None:
    campaign = start(database)
    claim(database)
    campaigns.stop(database, campaign)
    assert leases.to_hand_in(database, campaign) == 1
    expire(database)
    assert leases.to_hand_in(database, campaign) == 0


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_a_clock_that_jumps_frees_leases_and_no_more(database: Engine, jump: float) -> None:
    start(database)
    held = claim(database)
    expire(database, jump)
    assert sweep(database) == 1
    assert leases.heartbeat(database, held)
    assert sweep(database) == 0
    assert commit(database, held)


def test_an_order_that_kills_its_workers_is_set_aside(database: Engine) -> None:
    start(database, 2)
    for attempt in range(leases.MAX_ATTEMPTS):
        assert claim(database).attempt == attempt + 1
        expire(database)
        sweep(database)
    assert states(database) == ["poisoned", "ready"]
    assert leases.claim(database, 1, 1, "me") is None
    with books.opened(database, 1) as book:
        assert book is not None
        reports = book.reports()
        assert [each.result for each in reports] == [Failure("the worker went silent")]
        book.merged(reports)
        assert book.reports() == []
    assert commit(database, claim(database, 2))


def test_a_failed_attempt_is_tried_again_at_once_and_not_for_ever(database: Engine) -> None:
    start(database)
    for _ in range(leases.MAX_ATTEMPTS):
        assert announcements.unannounced(database, 1, 60.0, 10) == [(1, "fuzz")]
        announcements.announced(database, [1])
        assert announcements.unannounced(database, 1, 60.0, 10) == []
        assert leases.fail(database, claim(database), "no such target")
    assert states(database) == ["poisoned"]


def test_each_write_is_about_its_own_lease_and_no_other(database: Engine) -> None:
    start(database, 4)
    one, two, three, four = (claim(database, number) for number in (1, 2, 3, 4))
    expire(database)
    assert leases.heartbeat(database, one)
    assert commit(database, two)
    assert leases.fail(database, three, "it died")
    assert leases.release(database, four, "the disk is full")
    assert states(database) == ["leased", "committed", "ready", "ready"]
    with database.connect() as connection:
        rows = connection.execute(select(lease.c.id, lease.c.failure)).all()
    told = {row.id: row.failure for row in rows}
    assert told == {1: "", 2: "", 3: "it died", 4: "the disk is full"}
    campaigns.stop(database, 1)
    with database.begin() as connection:
        assert leases.cut_short(connection, one, FuzzResult(1, 1.0))
    assert states(database) == ["committed", "committed", "cancelled", "cancelled"]


def test_what_is_done_is_neither_claimed_nor_swept_however_late(database: Engine) -> None:
    start(database)
    assert commit(database, claim(database))
    expire(database)
    assert leases.claim(database, 1, 1, "late") is None
    assert sweep(database) == 0
    assert states(database) == ["committed"]


def test_a_lease_whose_last_worker_went_silent_is_not_taken_before_it_is_swept(
    database: Engine,
) -> None:
    start(database)
    for _ in range(leases.MAX_ATTEMPTS):
        claim(database)
        expire(database)
    assert leases.claim(database, 1, 1, "me") is None
    assert sweep(database) == 1
    assert states(database) == ["poisoned"]


def test_leases_of_another_campaign_are_not_swept(database: Engine) -> None:
    start(database)
    claim(database)
    expire(database)
    with database.begin() as connection:
        assert leases.sweep(connection, 2) == 0
    assert states(database) == ["leased"]


def test_a_reason_is_kept_as_far_as_it_fits(database: Engine) -> None:
    start(database)
    for give_back in (leases.fail, leases.release):
        assert give_back(database, claim(database), "x" * 5000)
        with database.connect() as connection:
            assert connection.execute(select(lease.c.failure)).scalar_one() == "x" * 2000


def test_seeds_are_those_of_the_order_s_own_stream_and_whole(database: Engine) -> None:
    start(database)
    held = claim(database)
    other = campaigns.create(database, replace(SPEC, name="day"))
    digests = [sha256(bytes([number])).hexdigest() for number in range(5)]
    rows = [
        Input("model:v5.10", "map_race", digests[0], b"\0", b""),
        Input("model:v5.12", "map_race", digests[1], b"\1", b""),
        Input("model:v5.10", "log_race", digests[2], b"\2", b""),
        Input("model:v5.10", "map_race", digests[3], b"spoiled", b""),
        Input("model:v5.10", "map_race", digests[4], b"\4", b""),
    ]
    with database.begin() as connection:
        Corpus(connection, held.campaign).add(rows[:4])
        Corpus(connection, other).add(rows[4:])
    order = FuzzOrder(0, "model:v5.10", "map_race", 5, 0, tuple(digests))
    assert leases.seeds(database, held, order) == {digests[0]: b"\0"}


def test_an_order_given_back_costs_no_attempt(database: Engine) -> None:
    start(database)
    for _ in range(2 * leases.MAX_ATTEMPTS):
        assert leases.release(database, claim(database), "the disk is full")
    assert states(database) == ["ready"]


def test_a_paused_campaign_gives_nothing_out_and_keeps_what_comes_in(database: Engine) -> None:
    start(database, 2)
    held = claim(database)
    campaigns.pause(database, 1)
    assert leases.claim(database, 2, 1, "me") is None
    assert announcements.unannounced(database, 1, 60.0, 10) == []
    assert leases.heartbeat(database, held)
    assert commit(database, held)
    campaigns.adopt(database, 1, "")
    assert commit(database, claim(database, 2))


def test_a_stopped_campaign_calls_its_workers_back(database: Engine) -> None:
    start(database, 2)
    held = claim(database)
    campaigns.stop(database, 1)
    assert not leases.heartbeat(database, held)
    assert states(database) == ["cancelled", "cancelled"]
    assert not commit(database, held)
    with pytest.raises(InputError, match="number 1 is stopped"):
        campaigns.adopt(database, 1, "")


def test_a_lease_of_another_campaign_is_not_found(database: Engine) -> None:
    start(database)
    assert leases.claim(database, 1, 2, "me") is None
    assert leases.claim(database, 99, 1, "me") is None


def test_two_campaigns_have_two_names(database: Engine) -> None:
    start(database)
    with pytest.raises(InputError, match="there is a campaign 'night'"):
        start(database)


def test_a_label_is_an_order_once(database: Engine) -> None:
    start(database)
    with books.opened(database, 1) as book:
        assert book is not None
        book.add({"fuzz:0": FuzzOrder(0, "model:v5.10", "map_race", 9, 9)})
        assert book.open_orders() == 1


def test_an_order_counts_a_finding_once_however_often_it_runs(database: Engine) -> None:
    start(database, 2)
    store = Store(database)
    seen = Violation("C6", "rule", Category.CORRECTNESS, "Gone.", (), "C6/page")
    first = claim(database)
    number = leases.report(store, first, Case(), seen, "")
    leases.report(store, first, Case(), seen, "")
    leases.fail(database, first, "it died")
    assert leases.report(store, claim(database), Case(), seen, "") == number
    assert store.get(number).count == 1
    leases.report(store, claim(database, 2), Case(), seen, "")
    assert store.get(number).count == 2


def test_figures_count_what_is_there(database: Engine) -> None:
    start(database, 2)
    leases.fail(database, claim(database), "once")
    commit(database, claim(database))
    workers.seen(database, Part.WORKER, "w", 4)
    workers.seen(database, Part.WORKER, "w", 3)
    figures = figures_of(database, 1)
    assert figures.leases == {"committed": 1, "ready": 1}
    assert (figures.again, figures.workers, figures.slots) == (1, 1, 3)
