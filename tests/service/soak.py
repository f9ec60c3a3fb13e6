"""Soak: a service under faults for as long as you like, and the figures afterwards.

Run it from the root of the checkout: ``python tests/service/soak.py --faults 10000``, or for a time
with ``--seconds 300``; with ``--postgres`` the database is stopped and started as well. What must
have been found, and how often, is computed from the seeds of the orders, independently of what the
workers wrote. The exit code is 1 if a finding was lost, counted too often or too seldom, if a
worker wrote that had been given up, a sum is wrong or an order is left over.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from sqlalchemy import select  # noqa: E402

from stage2fuzz.findings.campaign_tables import lease  # noqa: E402
from stage2fuzz.findings.outage import OutageError  # noqa: E402
from tests.service.conftest import PostgresServer  # noqa: E402
from tests.service.rig import Rig  # noqa: E402
from tests.service.soak_faults import Faults  # noqa: E402

FINDINGS, OF = 2, 5000
PAUSE = (0.1, 1.0)
"""Seconds between two faults."""
PATIENCE = 180.0
"""Seconds for the next result after a fault."""
LINE_SECONDS = 15.0


class Soak:
    """One run: faults, what they cost, and the account at the end."""

    def __init__(self, rig: Rig, server: PostgresServer | None, seed: int, only: list[str]) -> None:
        self.rig = rig
        self.chooser = random.Random(seed)
        self.faults = Faults(rig, server, self.chooser)
        self.names = [name for name in sorted(self.faults.by_name) if not only or name in only]
        self.injected: Counter[str] = Counter()
        self.recovery: list[tuple[float, str]] = []

    def run(self, number: int, seconds: float) -> None:
        """Inject ``number`` faults, or as many as ``seconds`` allow, and note how each was felt."""
        begun = line = time.monotonic()
        while self.injected.total() < number and time.monotonic() - begun < seconds:
            time.sleep(self.chooser.uniform(*PAUSE))
            name = self.chooser.choice(self.names)
            before = self.committed()
            self.injected[name] += 1
            self.faults.by_name[name]()
            self.recovery.append((self.recovered(name, before), name))
            if time.monotonic() - line > LINE_SECONDS:
                line = time.monotonic()
                done, spent = self.injected.total(), line - begun
                left = min((number - done) * spent / done, seconds - spent)
                print(f"{done} faults, {before} orders; {left:.0f} s left", flush=True)

    def recovered(self, name: str, before: int) -> float:
        """Wait for the next result; how long it took."""
        begun = time.monotonic()
        while self.committed() <= before:
            if time.monotonic() - begun > PATIENCE:
                record = self.rig.figures()
                raise SystemExit(f"not recovered from {name!r} after {PATIENCE:.0f} s: {record}")
            time.sleep(0.05)
        return time.monotonic() - begun

    def committed(self) -> int:
        """Orders committed so far."""
        while True:
            try:
                return self.rig.figures().leases.get("committed", 0)
            except OutageError:
                time.sleep(0.2)

    def expected(self, *states: str) -> Counter[str]:
        """How many orders in these states report each signature, by the orders' seeds alone."""
        statement = select(lease.c.body).where(lease.c.kind == "fuzz", lease.c.state.in_(states))
        signatures: Counter[str] = Counter()
        with self.rig.store.engine.connect() as connection:
            for body in connection.execute(statement).scalars():
                chooser = random.Random(json.loads(body)["seed"] or 1)
                signatures.update({f"stand-in/{chooser.randrange(OF)}" for _ in range(FINDINGS)})
        return signatures

    def account(self) -> dict[str, int]:
        """What is wrong, by name, as numbers that must all be 0."""
        counts = {
            each.signature: each.count
            for each in self.rig.store.list(limit=1_000_000)
            if each.signature.startswith("stand-in/")
        }
        sure, maybe = self.expected("committed"), self.expected("poisoned", "cancelled")
        return {
            "findings lost": len(sure.keys() - counts.keys()),
            "findings that no order reports": len(counts.keys() - sure.keys() - maybe.keys()),
            "counted too often": sum(
                number > sure[name] + maybe[name] for name, number in counts.items()
            ),
            "counted too seldom": sum(
                counts.get(name, 0) < number for name, number in sure.items()
            ),
        }


def main() -> int:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--faults", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=0, help="0: as long as the faults take")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", default=[], help="this fault; again for more")
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--plant", default="", help="a fault of planted/sitecustomize.py")
    given = parser.parse_args()
    if not given.seconds and given.faults == 1_000_000:
        given.seconds = 120
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="stage2fuzz-soak-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        server = stack.enter_context(PostgresServer()) if given.postgres else None
        url = server.url if server else f"sqlite:///{folder}/soak.db"
        rig = Rig(folder, url, plant=given.plant, findings=FINDINGS, of=OF)
        stack.callback(rig.close)
        soak = Soak(rig, server, given.seed, given.only)
        rig.start(seconds=0)
        rig.until(lambda figures: figures.leases.get("committed", 0) > 0)
        begun = time.monotonic()
        soak.run(given.faults, given.seconds or float("inf"))
        spent = time.monotonic() - begun
        with rig.store.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE campaign SET state = 'draining'")
        rig.until_done(300)
        return report(soak, spent)


def report(soak: Soak, spent: float) -> int:
    """Print the account; 1 where something is wrong."""
    figures, number = soak.rig.figures(), soak.injected.total()
    wrong = soak.account()
    try:
        soak.rig.expect_books_in_order()
    except AssertionError as error:
        lines = str(error).splitlines() or ["wrong"]
        wrong[f"sums: {lines[0][:120]}"] = 1
    print(f"faults injected: {number} of {len(soak.injected)} kinds in {spent:.0f} s")
    for name, times in sorted(soak.injected.items()):
        print(f"  {times} x {name}")
    leases = ", ".join(f"{count} {state}" for state, count in sorted(figures.leases.items()))
    print(f"orders: {leases}; run more than once: {figures.again}")
    for name, count in wrong.items():
        print(f"{name}: {count}")
    times_sorted = sorted(soak.recovery)
    if times_sorted:
        slowest, what = times_sorted[-1]
        median = times_sorted[len(times_sorted) // 2][0]
        print(f"seconds to the next result: median {median:.1f}, most {slowest:.1f} ({what})")
    return 1 if any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
