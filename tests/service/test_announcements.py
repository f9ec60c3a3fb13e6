"""Which leases the broker is told of, and when a host's worker notices that it gets none."""

import pytest
from sqlalchemy import Engine, update

from stage2fuzz.findings import books, campaigns, leases
from stage2fuzz.findings.announcements import announced, overlooked, unannounced
from stage2fuzz.findings.campaign_tables import lease
from stage2fuzz.findings.clock import now
from stage2fuzz.service.orders import CampaignSpec, ConfirmOrder, FuzzOrder, Order, RealOrder

FUZZ = FuzzOrder(0, "model:v5.10", "map_race", 5, 1)
REAL = RealOrder(1, "C6/here", "stage2fuzz case 1\nend\n", 3)
CONFIRM = ConfirmOrder(1, "C6/here", "stage2fuzz case 1\nend\n", 3)


def create(database: Engine, name: str, *orders: Order, service: str = "") -> int:
    """A campaign with these orders ready."""
    spec = CampaignSpec(name, ("model:v5.10",), ("map_race",))
    number = campaigns.create(database, spec, service)
    with books.opened(database, number) as book:
        assert book is not None
        book.add({f"order:{at}": order for at, order in enumerate(orders)})
    return number


def put(database: Engine, number: int, **columns: object) -> None:
    """Set columns of a lease."""
    with database.begin() as connection:
        connection.execute(update(lease).where(lease.c.id == number).values(columns))


def test_a_lease_is_announced_in_its_turn_and_of_its_campaign_alone(database: Engine) -> None:
    night = create(database, "night", FUZZ, CONFIRM, FUZZ)
    day = create(database, "day", FUZZ)
    assert unannounced(database, night, 30.0, 10) == [(1, "fuzz"), (2, "confirm"), (3, "fuzz")]
    assert unannounced(database, night, 30.0, 2) == [(1, "fuzz"), (2, "confirm")]
    announced(database, [1, 3])
    assert unannounced(database, night, 30.0, 10) == [(2, "confirm")]
    assert unannounced(database, day, 30.0, 10) == [(4, "fuzz")]
    announced(database, [])
    assert unannounced(database, night, 30.0, 10) == [(2, "confirm")]


@pytest.mark.parametrize(
    ("ago", "due"), [(20.0, False), (40.0, True), (-20.0, False), (-40.0, True)]
)
def test_a_message_may_be_lost_after_so_long_and_a_clock_may_be_put_back(
    database: Engine, ago: float, due: bool
) -> None:
    night = create(database, "night", FUZZ)
    put(database, 1, announced=now() - ago)
    assert bool(unannounced(database, night, 30.0, 10)) is due


def test_what_nobody_may_claim_is_not_announced(database: Engine) -> None:
    night = create(database, "night", FUZZ, FUZZ)
    assert leases.claim(database, 1, night, "here:1") is not None
    assert unannounced(database, night, 30.0, 10) == [(2, "fuzz")]
    campaigns.pause(database, night)
    assert unannounced(database, night, 30.0, 10) == []


def test_work_that_waits_while_a_host_has_none_is_overlooked(database: Engine) -> None:
    night = create(database, "night", FUZZ, FUZZ)
    assert overlooked(database, "here")
    held = leases.claim(database, 1, night, "here:1")
    assert held is not None
    assert not overlooked(database, "here")
    assert overlooked(database, "there"), "the other host's lease is not its own"
    assert overlooked(database, "her_"), "a host's name is no pattern"
    put(database, 1, deadline=now() - 1)
    assert overlooked(database, "here"), "it holds the lease no more"
    put(database, 1, deadline=now() + 30, state="committed")
    assert overlooked(database, "here"), "it has handed it in"
    put(database, 2, state="cancelled")
    assert not overlooked(database, "here"), "nothing waits"


def test_only_work_that_the_host_s_service_could_do_is_overlooked(database: Engine) -> None:
    create(database, "night", REAL)
    other = create(database, "day", FUZZ, service="local-1")
    assert not overlooked(database, "here"), "what waits is for a real kernel"
    assert overlooked(database, "here", "local-1")
    campaigns.pause(database, other)
    assert not overlooked(database, "here", "local-1"), "it is paused"


def test_only_begun_fuzz_orders_of_the_campaign_itself_are_waited_for(database: Engine) -> None:
    night = create(database, "night", FUZZ, CONFIRM, FUZZ, FUZZ)
    day = create(database, "day", FUZZ)
    for number, campaign in ((1, night), (2, night), (3, night), (5, day)):
        assert leases.claim(database, number, campaign, "here:1") is not None
    put(database, 3, state="committed")
    assert leases.to_hand_in(database, night) == 0
    campaigns.stop(database, night)
    assert leases.to_hand_in(database, night) == 1, "not the confirm order, nor the one not begun"
    assert leases.to_hand_in(database, day) == 0
    put(database, 1, deadline=now() - 1)
    assert leases.to_hand_in(database, night) == 0
