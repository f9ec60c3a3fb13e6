"""The faults of the soak: what may happen to a service, each as a function that does it."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import select, update

from stage2fuzz.coordinator.__main__ import Broker
from stage2fuzz.errors import InputError
from stage2fuzz.findings import campaigns
from stage2fuzz.findings.campaign_tables import campaign, lease
from stage2fuzz.findings.outage import OutageError
from stage2fuzz.service import settings
from stage2fuzz.service.orders import QUEUE
from tests.service.conftest import PostgresServer
from tests.service.rig import LEASE_SECONDS, Rig, below, command_of

GARBAGE = (b"garbage", b"[]", b"null", b"\xff\xfe", b'{"properties": {}}', b"[" * 3000)
JUMPS = (-3600.0, 3600.0)
REPLACED_SECONDS = 15 * LEASE_SECONDS
"""For a worker to start and to take over."""


class Faults:
    """Everything that can be done to one service."""

    def __init__(self, rig: Rig, server: PostgresServer | None, chooser: random.Random) -> None:
        self.rig, self.server, self.chooser = rig, server, chooser
        self.grave: dict[str, Callable[[], None]] = {
            "worker killed": lambda: self.again("worker"),
            "coordinator killed": lambda: self.again("coordinator"),
            "broker killed, its data lost": lambda: self.again("broker"),
            "worker frozen past its deadline, replaced, back": self.freeze_and_replace,
            "coordinator frozen": self.freeze_coordinator,
            "second coordinator, killed": self.second_coordinator,
        }
        """Those of which one at a time is done: processes are started, or a while is waited."""
        if server is not None:
            self.grave["database stopped and started"] = self.restart_database
        else:
            self.grave["database locked"] = self.lock_database
        self.quick: dict[str, tuple[int, Callable[[], None]]] = {
            "messages doubled": (12, self.double),
            "messages that are none": (12, self.send_garbage),
            "fuzzing process frozen": (6, self.freeze_target),
            "messages lost": (3, self.lose_messages),
            "junk in the outbox": (6, self.litter),
            "campaign paused and resumed": (3, self.pause),
            "clock put forward or back": (1, self.jump),
            "fuzzing process killed": (1, self.kill_target),
            "one process of the pool killed": (1, self.kill_pool_process),
        }
        """How often each is done in comparison, and how; at any moment, beside a grave one."""

    def again(self, name: str) -> None:
        """Kill a process and start another."""
        self.rig.kill(name)
        time.sleep(self.chooser.uniform(0, 0.5))
        self.rig.service.begin(name)

    def freeze_and_replace(self) -> None:
        """Stop the worker until another one has its order, then let it go on and end that one.

        The target of the frozen worker goes on, so that the late worker has a result in its hands
        long before its successor.
        """
        before = self.rig.figures().again
        self.rig.signal("worker", signal.SIGSTOP)
        try:
            self.rig.service.begin("worker", "second")
            end = time.monotonic() + REPLACED_SECONDS
            while time.monotonic() < end and self.rig.figures().again <= before:
                time.sleep(0.02)
        finally:
            self.rig.signal("worker", signal.SIGCONT)
        time.sleep(2)
        self.rig.kill("second")
        del self.rig.service.processes["second"]

    def freeze_coordinator(self) -> None:
        """Stop the coordinator for a while."""
        self.rig.signal("coordinator", signal.SIGSTOP)
        time.sleep(self.chooser.uniform(0.5, 2))
        self.rig.signal("coordinator", signal.SIGCONT)

    def second_coordinator(self) -> None:
        """Two at once for a while, the second killed."""
        self.rig.service.begin("coordinator", "second")
        time.sleep(self.chooser.uniform(0.5, 2))
        self.rig.kill("second")
        del self.rig.service.processes["second"]

    def kill_pool_process(self) -> None:
        """Kill one of the worker's children, which holds an order or waits for one."""
        below_worker = below(self.rig.service.processes["worker"].pid)
        pool = [process for process in below_worker if b"celery" in command_of(process)]
        if pool:
            with suppress(ProcessLookupError):
                os.kill(self.chooser.choice(pool), signal.SIGKILL)

    def signal_target(self, number: signal.Signals) -> list[int]:
        """Send a signal to a running fuzz target, if there is one; to which."""
        targets = [
            process
            for process in (int(path.name) for path in Path("/proc").glob("[0-9]*"))
            if str(self.rig.targets).encode() in command_of(process)
        ]
        for process in targets[:1]:
            with suppress(ProcessLookupError):
                os.kill(process, number)
        return targets[:1]

    def kill_target(self) -> None:
        """Kill a fuzzing process, which then died of no input."""
        self.signal_target(signal.SIGKILL)

    def freeze_target(self) -> None:
        """Stop a fuzzing process for a moment."""
        stopped = self.signal_target(signal.SIGSTOP)
        time.sleep(self.chooser.uniform(0.02, 0.2))
        for process in stopped:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)

    def double(self) -> None:
        """Send messages again, for leases in every state."""
        broker = Broker(self.broker_url)
        with self.rig.store.engine.connect() as connection:
            rows = connection.execute(select(lease.c.id, lease.c.kind)).all()
        with suppress(OSError):
            for row in [*rows[-4:], *self.chooser.sample(rows, min(4, len(rows)))]:
                broker.send(row.kind, self.rig.campaign, row.id)

    def lose_messages(self) -> None:
        """Empty the queue."""
        with suppress(RedisError), self.redis() as client:
            client.delete(QUEUE)

    def send_garbage(self) -> None:
        """Write to the queue what is no message."""
        with suppress(RedisError), self.redis() as client:
            for each in GARBAGE:
                client.lpush(QUEUE, each)

    def jump(self) -> None:
        """Move all stored times, which is what a jump of the database's clock looks like."""
        by = self.chooser.choice(JUMPS)
        moved = {"deadline": lease.c.deadline - by, "announced": lease.c.announced - by}
        with suppress(OutageError), self.rig.store.engine.begin() as connection:
            connection.execute(update(lease).where(lease.c.state == "leased").values(moved))
            connection.execute(update(campaign).values(ticked=campaign.c.ticked - by))

    def pause(self) -> None:
        """Pause for a moment."""
        with suppress(InputError):
            campaigns.pause(self.rig.store.engine, self.rig.campaign)
            time.sleep(self.chooser.uniform(0.02, 0.2))
            campaigns.adopt(self.rig.store.engine, self.rig.campaign, "")

    def litter(self) -> None:
        """Let the targets of the next moment write junk beside their findings."""
        self.rig.behave(junk=True)
        time.sleep(self.chooser.uniform(0.05, 0.3))
        self.rig.behave(junk=False)

    def restart_database(self) -> None:
        """Stop it as a power cut would, and start it again."""
        assert self.server is not None
        self.server.stop()
        time.sleep(self.chooser.uniform(0.5, 2))
        self.server.start()

    def lock_database(self) -> None:
        """Hold SQLite's write lock for a while."""
        with self.rig.store.engine.begin():
            time.sleep(self.chooser.uniform(0.5, 2))

    @property
    def broker_url(self) -> str:
        """Where the service's broker is."""
        return self.rig.service.environment()[settings.BROKER]

    def redis(self) -> "Redis":
        """A client of the broker."""
        return Redis(unix_socket_path=self.broker_url.removeprefix("redis+socket://"))
