"""``python -m stage2fuzz.coordinator``: the loop with a broker, its figures and a clean end."""

import math
import os
import signal
import socket
import sys
import time
from typing import Final

from celery import Celery
from kombu.exceptions import OperationalError

from stage2fuzz.coordinator.loop import LOG, run
from stage2fuzz.coordinator.metrics import MetricsServer
from stage2fuzz.errors import InputError
from stage2fuzz.findings import campaigns, workers
from stage2fuzz.findings.figures import figures_of, to_record
from stage2fuzz.findings.outage import patiently
from stage2fuzz.findings.states import ENDED, Part
from stage2fuzz.findings.store import Store
from stage2fuzz.process.cage import hide
from stage2fuzz.service.logs import configure
from stage2fuzz.service.orders import QUEUE, REAL, REAL_QUEUE, TASKS
from stage2fuzz.service.settings import Settings, from_environment, show_alive

ALIVE_SECONDS: Final = 10.0
STUCK_SECONDS: Final = 60.0
LOG_SECONDS: Final = 10.0
DATABASE_SECONDS: Final = 120.0
"""How long to wait for the database at the start."""


class Broker:
    """Sends wake-ups by task name; the tasks themselves are the workers' business."""

    def __init__(self, url: str) -> None:
        """``url`` is Redis or Valkey."""
        self.app = Celery("stage2fuzz", broker=url)
        self.app.conf.update(
            task_serializer="json",
            accept_content=["json"],
            result_backend=None,
            broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 5},
            task_publish_retry=False,
        )

    def send(self, kind: str, campaign: int, lease: int) -> None:
        """One message of two numbers. Raises OSError where the broker is away."""
        try:
            queue = REAL_QUEUE if kind == REAL else QUEUE
            self.app.send_task(
                TASKS[kind], args=[campaign, lease], queue=queue, ignore_result=True, retry=False
            )
        except OperationalError as error:
            raise OSError(str(error)) from None


class FiguresPage:
    """Keeps the figures' page current; logs them and gives a sign of life every ten seconds."""

    def __init__(self, store: Store, server: MetricsServer | None, settings: Settings) -> None:
        """``server`` is None where the page is off."""
        self.store, self.server, self.service = store, server, settings.service
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.ticked = time.monotonic()
        self.signed = self.logged = -math.inf
        if server is not None:
            server.alive = lambda: time.monotonic() - self.ticked < STUCK_SECONDS

    def __call__(self) -> None:
        """Called after each round of the loop."""
        self.ticked = time.monotonic()
        if self.ticked - self.signed >= ALIVE_SECONDS:
            self.signed = self.ticked
            show_alive()
            workers.seen(self.store.engine, Part.COORDINATOR, self.name, 0, self.service)
        if self.ticked - self.logged < LOG_SECONDS and self.server is None:
            return
        every = [
            figures_of(self.store.engine, each.id) for each in campaigns.every(self.store.engine)
        ]
        if self.server is not None:
            self.server.record.every = every
        if self.ticked - self.logged >= LOG_SECONDS:
            self.logged = self.ticked
            for each in every:
                if each.campaign.state not in ENDED:
                    LOG.info("campaign", extra={"figures": to_record(each)})


def opened(settings: Settings) -> Store:
    """The database, waited for: in a cluster it may start after us."""
    return patiently(lambda: Store.open(settings.database), (InputError,), DATABASE_SECONDS)


def main() -> int:
    """Run until SIGTERM or SIGINT; 2 where the settings can't be used."""
    hide()  # no other process reads the passwords in our environment
    configure("coordinator")
    stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: stop.append(received))
    try:
        settings = from_environment()
        store = opened(settings)
        server = MetricsServer(settings.metrics_address) if settings.metrics_address else None
    except (InputError, OSError) as error:
        LOG.error("%s", error)
        return 2
    broker, show = Broker(settings.broker), FiguresPage(store, server, settings)
    LOG.info("the coordinator runs", extra={"metrics_port": server.port if server else None})
    run(store, broker.send, lambda: bool(stop), show, settings.lease, settings.service)
    LOG.info("the coordinator ends")
    if server is not None:
        server.close()
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
