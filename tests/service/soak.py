"""Soak: a service under faults for as long as you like, and the figures afterwards.

Run it from the root of the checkout: ``python tests/service/soak.py --seconds 300``; with
``--postgres`` also the database is stopped and started. What must have been found is computed
from the seeds of the orders that were committed, independently of what the workers wrote.
The exit code is 1 if a finding was lost, counted twice, or a lease was left over.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from sqlalchemy import select  # noqa: E402

from stage2fuzz.coordinator.__main__ import Broker  # noqa: E402
from stage2fuzz.findings.campaign_tables import lease  # noqa: E402
from stage2fuzz.findings.outage import Trouble  # noqa: E402
from stage2fuzz.service import settings  # noqa: E402
from tests.service.conftest import PostgresServer  # noqa: E402
from tests.service.rig import Rig  # noqa: E402

FINDINGS, OF = 2, 5000
PAUSE = (2.0, 6.0)
"""Seconds between two faults."""


class Soak:
    """The faults by name, and what happened."""

    def __init__(self, rig: Rig, server: PostgresServer | None, seed: int) -> None:
        self.rig, self.server = rig, server
        self.chooser = random.Random(seed)
        self.injected: dict[str, int] = {}
        self.recovery: list[float] = []
        self.faults: dict[str, Callable[[], None]] = {
            "worker killed": lambda: self.again("worker"),
            "coordinator killed": lambda: self.again("coordinator"),
            "broker killed, its data lost": lambda: self.again("broker"),
            "worker frozen past its deadline": self.freeze,
            "second coordinator": self.second_coordinator,
            "messages doubled": self.double,
        }
        if server is not None:
            self.faults["database stopped and started"] = self.restart_database

    def again(self, name: str) -> None:
        """Kill a process and start another."""
        self.rig.kill(name)
        time.sleep(self.chooser.uniform(0, 1))
        self.rig.service.begin(name)

    def freeze(self) -> None:
        """Stop the worker for longer than a lease, then let it go on."""
        group = self.rig.service.processes["worker"].pid
        os.killpg(group, signal.SIGSTOP)
        time.sleep(5)
        os.killpg(group, signal.SIGCONT)

    def second_coordinator(self) -> None:
        """Two at once for a while, the second killed."""
        self.rig.service.begin("coordinator", "second")
        time.sleep(4)
        self.rig.kill("second")

    def double(self) -> None:
        """Send messages again, for leases in every state."""
        broker = Broker(self.rig.service.environment()[settings.BROKER])
        with self.rig.store.engine.connect() as connection:
            rows = connection.execute(select(lease.c.id, lease.c.kind)).all()
        for row in [*rows[-20:], *rows[-20:]]:
            broker.send(row.kind, self.rig.campaign, row.id)

    def restart_database(self) -> None:
        """As a power cut would."""
        assert self.server is not None
        self.server.stop()
        time.sleep(self.chooser.uniform(0.5, 3))
        self.server.start()

    def run(self, seconds: float) -> None:
        """Inject faults until the time is up, and note how long each was felt."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self.chooser.uniform(*PAUSE))
            name = self.chooser.choice(sorted(self.faults))
            self.injected[name] = self.injected.get(name, 0) + 1
            before = self.committed()
            self.faults[name]()
            begun = time.monotonic()
            while self.committed() <= before:
                if time.monotonic() - begun > 120:
                    raise SystemExit(f"not recovered from {name!r} after 120 s")
                time.sleep(0.1)
            self.recovery.append(time.monotonic() - begun)
            print(f"{name}: next result after {self.recovery[-1]:.1f} s", flush=True)

    def committed(self) -> int:
        """Orders committed so far."""
        while True:
            try:
                return self.rig.figures().leases.get("committed", 0)
            except Trouble:
                time.sleep(0.2)

    def expected(self) -> set[str]:
        """What the committed orders must have reported, by their seeds."""
        statement = select(lease.c.body).where(lease.c.kind == "fuzz", lease.c.state == "committed")
        signatures = set()
        with self.rig.store.engine.connect() as connection:
            for body in connection.execute(statement).scalars():
                chooser = random.Random(json.loads(body)["seed"] or 1)
                signatures |= {f"stand-in/{chooser.randrange(OF)}" for _ in range(FINDINGS)}
        return signatures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgres", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="stage2fuzz-soak-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        server = stack.enter_context(PostgresServer()) if given.postgres else None
        url = server.url if server else f"sqlite:///{folder}/soak.db"
        rig = Rig(folder, url, findings=FINDINGS, of=OF)
        stack.callback(rig.close)
        soak = Soak(rig, server, given.seed)
        rig.start(seconds=0)
        rig.until(lambda figures: figures.leases.get("committed", 0) > 0)
        soak.run(given.seconds)
        with rig.store.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE campaign SET state = 'draining'")
        rig.until_done(300)
        return report(soak)


def report(soak: Soak) -> int:
    figures = soak.rig.figures()
    found = [each.signature for each in soak.rig.store.list(limit=1_000_000)]
    lost = soak.expected() - set(found)
    soak.rig.expect_books_in_order()
    left = {state: number for state, number in figures.leases.items() if state != "committed"}
    print(f"faults injected: {sum(soak.injected.values())}")
    for name, number in sorted(soak.injected.items()):
        print(f"  {number} x {name}")
    print(f"orders committed: {figures.leases['committed']}, run twice: {figures.again}")
    print(f"orders not committed: {left or 0}")
    print(f"findings: {len(found)}, lost: {len(lost)}, doubled: {len(found) - len(set(found))}")
    times = sorted(soak.recovery)
    print(f"seconds to the next result: median {times[len(times) // 2]:.1f}, most {times[-1]:.1f}")
    return 1 if lost or left or len(found) != len(set(found)) else 0


if __name__ == "__main__":
    sys.exit(main())
