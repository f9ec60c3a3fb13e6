"""Whose a campaign is: the shared service's or one command's, and what if that is gone."""

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, func, select, update

from stage2fuzz.case.case import Case
from stage2fuzz.coordinator import loop
from stage2fuzz.errors import InputError
from stage2fuzz.findings import announcements, campaigns, leases, workers
from stage2fuzz.findings.campaign_tables import campaign, lease, worker
from stage2fuzz.findings.figures import figures_of
from stage2fuzz.findings.models import Base
from stage2fuzz.findings.states import CampaignState, Part
from stage2fuzz.findings.store import Store
from stage2fuzz.oracles.violation import Category, Violation
from stage2fuzz.service.orders import CampaignSpec, FuzzResult

SEEN = Violation("C6", "rule", Category.CORRECTNESS, "Gone.", (), "C6/page")


def spec(name: str, seconds: int = 0) -> CampaignSpec:
    return CampaignSpec(name, ("model:v5.10",), ("map_race",), seconds=seconds)


def silence(database: Engine, seconds: float) -> None:
    """Let the campaigns look as if their coordinator had been gone for so long."""
    with database.begin() as connection:
        connection.execute(update(campaign).values(ticked=campaign.c.ticked - seconds))


def test_a_service_works_for_its_own_campaigns_alone(database: Engine) -> None:
    shared = campaigns.create(database, spec("shared"))
    mine = campaigns.create(database, spec("mine"), "local-1")
    assert campaigns.active(database) == [shared]
    assert campaigns.active(database, "local-1") == [mine]
    assert campaigns.active(database, "local-2") == []


def test_the_slots_of_another_service_plan_nothing(database: Engine) -> None:
    mine = campaigns.create(database, spec("mine"), "local-1")
    workers.seen(database, Part.WORKER, "there:1", 8)
    store = Store(database)
    loop.tick(store, mine)
    assert figures_of(database, mine).leases == {}
    workers.seen(database, Part.WORKER, "here:1", 1, "local-1")
    loop.tick(store, mine)
    figures = figures_of(database, mine)
    assert (figures.leases, figures.workers, figures.slots) == ({"ready": 2}, 1, 1)
    assert announcements.overlooked(database, "here", "local-1")
    assert not announcements.overlooked(database, "there")


def test_a_coordinator_is_no_worker_and_a_worker_counts_once(database: Engine) -> None:
    workers.seen(database, Part.COORDINATOR, "here:1", 0)
    workers.seen(database, Part.WORKER, "here:2", 3)
    workers.seen(database, Part.WORKER, "here:2", 4)
    assert workers.living(database, Part.COORDINATOR) == 1
    assert workers.living(database, Part.WORKER) == 1
    with database.connect() as connection:
        assert connection.execute(select(func.count()).select_from(worker)).scalar_one() == 2


def test_a_campaign_whose_service_died_is_seen_and_adopted(database: Engine) -> None:
    number = campaigns.create(database, spec("night"), "local-1")
    assert not figures_of(database, number).untended
    with pytest.raises(InputError, match="a service works for number 1"):
        campaigns.adopt(database, number, "local-2")
    silence(database, campaigns.TENDED_SECONDS + 1)
    assert figures_of(database, number).untended
    campaigns.adopt(database, number, "local-2")
    figures = figures_of(database, number)
    assert (figures.campaign.service, figures.campaign.state) == ("local-2", "running")
    assert not figures.untended


def test_a_draining_campaign_goes_on_draining_and_an_ended_one_does_not(database: Engine) -> None:
    number = campaigns.create(database, spec("night"), "local-1")
    with database.begin() as connection:
        connection.execute(update(campaign).values(state=CampaignState.DRAINING))
    silence(database, 3600)
    campaigns.adopt(database, number, "")
    assert figures_of(database, number).campaign.state is CampaignState.DRAINING
    campaigns.stop(database, number)
    with pytest.raises(InputError, match="number 1 is stopped; start another one"):
        campaigns.adopt(database, number, "local-2")


def test_a_paused_campaign_is_adopted_at_once(database: Engine) -> None:
    number = campaigns.create(database, spec("night"))
    campaigns.pause(database, number)
    campaigns.adopt(database, number, "local-1")
    assert campaigns.active(database, "local-1") == [number]


def rows(database: Engine) -> dict[str, int]:
    """How many rows each table has that has any."""
    with database.connect() as connection:
        counted = {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in Base.metadata.tables.items()
        }
    return {name: number for name, number in counted.items() if number}


def test_a_deleted_campaign_leaves_its_findings_and_frees_its_name(database: Engine) -> None:
    store = Store(database)
    number = campaigns.create(database, spec("night"))
    other = campaigns.create(database, spec("day"))
    workers.seen(database, Part.WORKER, "here:1", 1)
    loop.tick(store, number)
    held = leases.claim(database, 1, number, "here:2")
    assert held is not None
    leases.report(store, held, Case(), SEEN, "")
    with pytest.raises(InputError, match="is running; stop it first"):
        campaigns.delete(database, number)
    silence(database, 3600)
    with pytest.raises(InputError, match="a worker has an order of it"):
        campaigns.delete(database, number)
    with database.begin() as connection:
        assert leases.commit(connection, held, FuzzResult(10, 1.0), [])
    loop.tick(store, number)
    campaigns.stop(database, number)
    campaigns.delete(database, number)
    assert rows(database) == {"campaign": 1, "finding": 1, "worker": 1}
    assert [each.id for each in campaigns.every(database)] == [other]
    campaigns.create(database, spec("night"))


def test_a_worker_of_a_deleted_campaign_keeps_its_finding_and_is_told(database: Engine) -> None:
    store = Store(database)
    number = campaigns.create(database, spec("night"))
    workers.seen(database, Part.WORKER, "here:1", 1)
    loop.tick(store, number)
    held = leases.claim(database, 1, number, "here:2")
    assert held is not None
    campaigns.stop(database, number)
    campaigns.delete(database, number)
    found = leases.report(store, held, Case(), SEEN, "")
    assert store.get(found).signature == "C6/page"
    assert not leases.heartbeat(database, held)
    with database.begin() as connection:
        assert not leases.commit(connection, held, FuzzResult(10, 1.0), [])


def test_a_name_is_never_taken_for_a_number_nor_a_number_for_a_name(database: Engine) -> None:
    with pytest.raises(InputError, match="1 would be mistaken for a campaign's number"):
        campaigns.create(database, spec("1"))
    with pytest.raises(InputError, match="name: "):
        campaigns.create(database, spec("#1"))
    first, second = (campaigns.create(database, spec(name)) for name in ("night", "day"))
    with database.begin() as connection:  # as an older version let people name them
        connection.execute(update(campaign).where(campaign.c.id == second).values(name="1"))
    assert campaigns.named(database, "1").id == second
    assert campaigns.named(database, "#1").id == first
    assert campaigns.named(database, "night").id == first
    assert campaigns.named(database, "2").id == second


def test_the_whole_time_is_a_bound_and_what_is_cut_short_is_told(database: Engine) -> None:
    store = Store(database)
    asked = replace(spec("night", seconds=60), order_seconds=5)
    number = campaigns.create(database, asked)
    workers.seen(database, Part.WORKER, "here:1", 1)
    loop.tick(store, number)
    held = leases.claim(database, 1, number, "here:2")
    assert held is not None
    leases.report(store, held, Case(), SEEN, "")

    def at(elapsed: float) -> None:
        with database.begin() as connection:
            connection.execute(update(campaign).values(elapsed=elapsed))
        loop.tick(store, number)

    at(48.0)
    figures = figures_of(database, number)
    assert figures.campaign.state is CampaignState.DRAINING
    assert figures.leases == {"leased": 1, "cancelled": 1, "ready": 1}
    assert figures.to_do == {"fuzz": 1, "confirm": 1}
    at(59.0)
    assert figures_of(database, number).campaign.state is CampaignState.DRAINING
    at(60.0)
    figures = figures_of(database, number)
    assert figures.campaign.state is CampaignState.DONE
    assert figures.campaign.note == (
        "time is up: 2 orders cut short, 1 findings not confirmed, 1 findings not minimised"
    )
    assert figures.leases == {"cancelled": 3}
    assert not leases.heartbeat(database, held)
    with database.begin() as connection:
        assert not leases.commit(connection, held, FuzzResult(10, 1.0), [])
        assert not list(connection.execute(select(lease.c.id).where(lease.c.state == "leased")))
