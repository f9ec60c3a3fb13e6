"""Scale: the coordinator alone against a thousand workers that do nothing, and where it ends.

Run it from the root of the checkout: ``python -m tests.service.scale --workers 1000 --postgres``.
The fake workers carry out their orders in bulk, in a few statements that leave the very rows real
ones leave, so that the time of a tick is the coordinator's own. With W workers and orders of S
seconds a service needs W / S orders a second; what a coordinator can do is the number of results
it merges and orders it plans, divided by the time of the tick.
"""

import argparse
import random
import resource
import shutil
import tempfile
import time
from contextlib import ExitStack
from hashlib import sha256

from sqlalchemy import Connection, func, insert, select, update

from stage2fuzz.coordinator import loop
from stage2fuzz.coordinator.__main__ import Broker
from stage2fuzz.findings import campaigns, workers
from stage2fuzz.findings.campaign_tables import corpus, coverage, lease, result
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.coverage import pack
from stage2fuzz.findings.states import Part
from stage2fuzz.findings.store import Store
from stage2fuzz.service import settings
from stage2fuzz.service.local import Service
from stage2fuzz.service.orders import CampaignSpec, FuzzOrder, FuzzResult, read_order, to_json
from tests.service.conftest import PostgresServer

FEATURES = 1 << 14
ORDER_SECONDS = 20
RATES = (25, 50, 100, 200, 500)
"""Orders carried out between two ticks."""
TICKS = 12


class Crowd:
    """The fake workers."""

    def __init__(self, store: Store, workers: int) -> None:
        self.store = store
        self.names = [f"fake:{index}" for index in range(workers)]
        self.chooser = random.Random(1)
        self.body = to_json(FuzzResult(200_000, float(ORDER_SECONDS)))

    def live(self) -> None:
        """Signs of life of them all."""
        for name in self.names:
            workers.seen(self.store.engine, Part.WORKER, name, 1)

    def carry_out(self, campaign: int, count: int) -> None:
        """Claim and commit ``count`` ready orders, every other one with a new input."""
        ready = select(lease.c.id, lease.c.body).where(lease.c.state == "ready")
        with self.store.engine.begin() as connection:
            rows = connection.execute(ready.order_by(lease.c.id).limit(count)).all()
            numbers = [row.id for row in rows]
            connection.execute(
                update(lease)
                .where(lease.c.id.in_(numbers))
                .values(state="committed", attempts=1, epoch=1, owner="fake")
            )
            common = {"campaign_id": campaign, "body": self.body, "merged": False}
            values = [{"lease_id": number, **common} for number in numbers]
            connection.execute(insert(result).values(committed=now()), values)
            for row in rows[::2]:
                self._hand_in(connection, campaign, row.body)

    def _hand_in(self, connection: Connection, campaign: int, body: str) -> None:
        """An input whose features are mostly common ones, as real ones are."""
        order = read_order(body)
        assert isinstance(order, FuzzOrder)
        data = self.chooser.randbytes(100)
        features = [int(self.chooser.paretovariate(0.7)) % FEATURES for _ in range(60)]
        connection.execute(
            insert(corpus).values(
                campaign_id=campaign,
                engine=order.engine,
                target=order.target,
                digest=sha256(data).hexdigest(),
                data=data,
                features=pack(frozenset(features)),
                state="new",
            )
        )


def main() -> None:
    """Measure, and print a line a figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--postgres", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = tempfile.mkdtemp(prefix="stage2fuzz-scale-")
        stack.callback(shutil.rmtree, folder)
        server = stack.enter_context(PostgresServer()) if given.postgres else None
        url = server.url if server else f"sqlite:///{folder}/scale.db"
        service = Service(url, 1)
        stack.callback(service.stop)
        service.begin("broker")
        measure(url, given.workers, Broker(service.environment()[settings.BROKER]))


def measure(url: str, workers: int, broker: Broker) -> None:
    """Time ticks and messages at growing rates."""
    store = Store.open(url)
    crowd = Crowd(store, workers)
    spec = CampaignSpec("scale", ("model:v5.10", "model:v5.12"), ("map_race", "notifier"))
    number = campaigns.create(store.engine, spec)
    print(f"{store.engine.dialect.name}, {workers} workers, one campaign of four streams")
    for rate in RATES:
        crowd.live()
        loop.tick(store, number)
        loop.announce(store, number, broker.send)
        ticks, sends, sent = 0.0, 0.0, 0
        for _ in range(TICKS):
            crowd.carry_out(number, rate)
            begun = time.perf_counter()
            loop.tick(store, number)
            between = time.perf_counter()
            sent += loop.announce(store, number, broker.send)
            ticks += between - begun
            sends += time.perf_counter() - between
        each = (ticks + sends) / TICKS
        print(
            f"{rate:4} orders a tick: {ticks / TICKS * 1e3:4.0f} ms to merge and plan, "
            f"{sends / TICKS * 1e3:4.0f} ms to announce {sent / TICKS:.0f}: "
            f"{rate / max(each, loop.TICK_SECONDS):4.0f} orders a second, enough for "
            f"{rate / max(each, loop.TICK_SECONDS) * ORDER_SECONDS:.0f} slots",
            flush=True,
        )
    rows = {}
    with store.engine.connect() as connection:
        for name, table in (("leases", lease), ("results", result), ("inputs", corpus)):
            rows[name] = connection.execute(select(func.count()).select_from(table)).scalar_one()
        known = connection.execute(select(func.sum(coverage.c.count))).scalar_one()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"rows: {rows}, features: {known}, coordinator's memory: {memory} MiB")


if __name__ == "__main__":
    main()
