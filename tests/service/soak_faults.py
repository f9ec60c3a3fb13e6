"""The faults of the soak: what may happen to a service, each as a function that does it."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress

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
from tests.service.rig import LEASE_SECONDS, WORKER, Rig, below, command_of, fork_servers, name_of

GARBAGE = (b"garbage", b"[]", b"null", b"\xff\xfe", b'{"properties": {}}', b"[" * 3000)
JUMPS = (-3600.0, 3600.0)
FUZZING = "fuzz"
FREEZES = 20
REPLACED_SECONDS = 15 * LEASE_SECONDS
"""For a worker to start and to take over."""


class Faults:
    """Everything that can be done to one service; each says whether there was what it hits."""

    def __init__(self, rig: Rig, server: PostgresServer | None, chooser: random.Random) -> None:
        self.rig, self.server, self.chooser = rig, server, chooser
        self.grave: dict[str, Callable[[], bool]] = {
            "worker killed": lambda: self.again("worker"),
            "coordinator killed": lambda: self.again("coordinator"),
            "broker killed, its data lost": lambda: self.again("broker"),
            "worker frozen past its deadline, replaced, back": self.freeze_and_replace,
            "worker frozen wherever it is": self.freeze_worker,
            "coordinator frozen": self.freeze_coordinator,
            "second coordinator, killed": self.second_coordinator,
            "one process of the pool killed": self.kill_pool_process,
            "fork server or zygote killed": self.kill_fork_server,
        }
        """Those of which one at a time is done: processes are started, or a while is waited."""
        if server is not None:
            self.grave["database stopped and started"] = self.restart_database
        else:
            self.grave["database locked"] = self.lock_database
        self.quick: dict[str, tuple[int, Callable[[], bool]]] = {
            "messages doubled": (12, self.double),
            "messages that are none": (12, self.send_garbage),
            "fuzzing process frozen": (6, self.freeze_target),
            "messages lost": (3, self.lose_messages),
            "junk in the outbox": (6, self.litter),
            "campaign paused and resumed": (3, self.pause),
            "clock put forward or back": (1, self.jump),
            "fuzzing process killed": (1, self.kill_target),
        }
        """How often each is done in comparison, and how; at any moment, beside a grave one."""

    def again(self, name: str) -> bool:
        """Kill a process and start another."""
        self.rig.kill(name)
        time.sleep(self.chooser.uniform(0, 0.5))
        self.rig.service.begin(name)
        return True

    def freeze_and_replace(self) -> bool:
        """Stop the worker until another one has its order, then let it go on and end that one.

        The target of the frozen worker goes on, so that the late worker has a result in its hands
        long before its successor.
        """
        before = self.rig.figures().again
        if not self.freeze_outside_a_write():
            return False
        try:
            self.rig.service.begin("worker", "second")
            end = time.monotonic() + REPLACED_SECONDS
            while time.monotonic() < end and self.rig.figures().again <= before:
                time.sleep(0.02)
        finally:
            self.rig.signal("worker", signal.SIGCONT)
            time.sleep(2)
            self.end_second()
        return True

    def freeze_outside_a_write(self) -> bool:
        """Stop the worker where it holds no lock of SQLite's; False where it always does.

        What is stopped in the middle of a write lets nobody else write until it goes on or is
        killed: there is nothing that a second worker could do before.
        """
        for _ in range(FREEZES):
            self.rig.signal("worker", signal.SIGSTOP)
            time.sleep(0.2)  # whoever else writes is done by then
            if self.rig.can_write():
                return True
            self.rig.signal("worker", signal.SIGCONT)
            time.sleep(0.1)
        return False

    def freeze_worker(self) -> bool:
        """Stop the worker for a while, with the database's lock if it has it."""
        self.rig.signal("worker", signal.SIGSTOP)
        time.sleep(self.chooser.uniform(0.5, 5))
        self.rig.signal("worker", signal.SIGCONT)
        return True

    def freeze_coordinator(self) -> bool:
        """Stop the coordinator for a while."""
        self.rig.signal("coordinator", signal.SIGSTOP)
        time.sleep(self.chooser.uniform(0.5, 2))
        self.rig.signal("coordinator", signal.SIGCONT)
        return True

    def second_coordinator(self) -> bool:
        """Two at once for a while, the second killed."""
        self.rig.service.begin("coordinator", "second")
        time.sleep(self.chooser.uniform(0.5, 2))
        self.end_second()
        return True

    def end_second(self) -> None:
        """Kill the second worker or coordinator, and forget it."""
        if "second" in self.rig.service.processes:
            self.rig.kill("second")
            del self.rig.service.processes["second"]

    def of_worker(self) -> list[int]:
        """All processes below the worker."""
        return below(self.rig.service.processes["worker"].pid)

    def kill_pool_process(self) -> bool:
        """Kill one of the worker's children, which holds an order or waits for one."""
        return self.hit([each for each in self.of_worker() if WORKER in command_of(each)])

    def kill_fork_server(self) -> bool:
        """Kill a process that others are forked from, with what it runs."""
        return self.hit(fork_servers(self.rig.service.processes["worker"].pid))

    def kill_target(self) -> bool:
        """Kill a fuzzing process, which then died of no input."""
        return self.hit([each for each in self.of_worker() if name_of(each) == FUZZING])

    def freeze_target(self) -> bool:
        """Stop a fuzzing process for a moment."""
        running = [each for each in self.of_worker() if name_of(each) == FUZZING][:1]
        done = self.hit(running, signal.SIGSTOP)
        time.sleep(self.chooser.uniform(0.02, 0.2))
        self.hit(running, signal.SIGCONT)
        return done

    def hit(self, processes: list[int], number: signal.Signals = signal.SIGKILL) -> bool:
        """Send one of these a signal; False where there is none any more."""
        with suppress(ProcessLookupError, IndexError):
            os.kill(self.chooser.choice(processes), number)
            return True
        return False

    def double(self) -> bool:
        """Send messages again, for leases in every state."""
        broker = Broker(self.broker_url)
        with self.rig.store.engine.connect() as connection:
            rows = connection.execute(select(lease.c.id, lease.c.kind)).all()
        with suppress(OSError):
            for row in [*rows[-4:], *self.chooser.sample(rows, min(4, len(rows)))]:
                broker.send(row.kind, self.rig.campaign, row.id)
            return True
        return False

    def lose_messages(self) -> bool:
        """Empty the queue; False where nothing was in it."""
        with suppress(RedisError), self.redis() as client:
            return bool(client.delete(QUEUE))
        return False

    def send_garbage(self) -> bool:
        """Write to the queue what is no message."""
        with suppress(RedisError), self.redis() as client:
            for each in GARBAGE:
                client.lpush(QUEUE, each)
            return True
        return False

    def jump(self) -> bool:
        """Move all stored times, which is what a jump of the database's clock looks like."""
        by = self.chooser.choice(JUMPS)
        moved = {"deadline": lease.c.deadline - by, "announced": lease.c.announced - by}
        with suppress(OutageError), self.rig.store.engine.begin() as connection:
            connection.execute(update(lease).where(lease.c.state == "leased").values(moved))
            connection.execute(update(campaign).values(ticked=campaign.c.ticked - by))
            return True
        return False

    def pause(self) -> bool:
        """Pause for a moment; False where another thread has."""
        with suppress(InputError):
            campaigns.pause(self.rig.store.engine, self.rig.campaign)
            time.sleep(self.chooser.uniform(0.02, 0.2))
            campaigns.adopt(self.rig.store.engine, self.rig.campaign, "")
            return True
        return False

    def litter(self) -> bool:
        """Let the targets of the next moment write junk beside their findings."""
        self.rig.behave(junk=True)
        time.sleep(self.chooser.uniform(0.05, 0.3))
        self.rig.behave(junk=False)
        return True

    def restart_database(self) -> bool:
        """Stop it as a power cut would, and start it again."""
        assert self.server is not None
        self.server.stop()
        time.sleep(self.chooser.uniform(0.5, 2))
        self.server.start()
        return True

    def lock_database(self) -> bool:
        """Hold SQLite's write lock for a while."""
        with self.rig.store.engine.begin():
            time.sleep(self.chooser.uniform(0.5, 2))
        return True

    @property
    def broker_url(self) -> str:
        """Where the service's broker is."""
        return self.rig.service.environment()[settings.BROKER]

    def redis(self) -> "Redis":
        """A client of the broker."""
        return Redis(unix_socket_path=self.broker_url.removeprefix("redis+socket://"))
