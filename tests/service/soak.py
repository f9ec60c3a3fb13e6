"""Soak: a service under faults for as long as you like, and the figures afterwards.

Run it from the root of the checkout: ``python -m tests.service.soak --faults 10000``, or for a time
with ``--seconds 300``; with ``--postgres`` the database is stopped and started as well. What must
have been found, and how often, is computed from the seeds of the orders, independently of what the
workers wrote. The exit code is 1 if a finding was lost, counted too often or too seldom, if a
worker wrote that had been given up, a sum is wrong or an order is left over, or if a fault was
followed by more than ``--recovery`` seconds without a result.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median

from sqlalchemy import select

from stage2fuzz.errors import InputError
from stage2fuzz.findings import campaigns
from stage2fuzz.findings.campaign_tables import lease
from stage2fuzz.findings.outage import OutageError
from stage2fuzz.findings.states import CampaignState
from tests.service.conftest import PostgresServer
from tests.service.rig import Rig
from tests.service.soak_faults import Faults

FINDINGS, OF = 2, 20
"""Findings that an order reports, and how many different ones there are: each costs processes that
confirm it, and a count that is wrong shows in few as in many."""
ORDER_SECONDS = 0.3
SLOTS = 4
PAUSE = 0.1
"""Seconds between two quick faults of a thread."""
QUICK = 8
"""Threads that do quick faults."""
GRAVE_PAUSE = 4.0
"""Seconds between two grave ones at least: each costs the start of a process or two. The next one
waits for a result, or a busy machine would never get one: what is killed each time that it has just
started can't recover from anything."""
UNFELT = 10.0
"""Seconds without a result after which no further quick fault is done for the moment."""
PATIENCE = 180.0
"""Seconds for the next result after a fault."""
LINE_SECONDS = 15.0
RECOVERY = 30.0
"""Seconds to the next result after a fault that are allowed."""


class Results(threading.Thread):
    """Looks four times a second how many orders are committed, and for whom that was waited."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(daemon=True)
        self.rig, self.over = rig, threading.Event()
        self.committed = self.resumed = 0
        self.recovery: list[tuple[float, str]] = []
        """Seconds from each fault to the next result, and the fault."""
        self._waiting: list[tuple[float, int, str]] = []
        self._lock = threading.Lock()

    def run(self) -> None:
        """Look until it is over."""
        while not self.over.wait(0.25):
            with suppress(OutageError, InputError):
                self._look()

    def felt(self, name: str) -> None:
        """A fault has been done: the next result says when it is over."""
        with self._lock:
            self._waiting.append((time.monotonic(), self.committed, name))

    def silent(self) -> tuple[float, str]:
        """How long the oldest fault waits for a result, and which it is."""
        with self._lock:
            if not self._waiting:
                return 0.0, ""
            return time.monotonic() - self._waiting[0][0], self._waiting[0][2]

    def waits_for(self, names: Collection[str]) -> bool:
        """Whether there was no result since one of these faults."""
        with self._lock:
            return any(name in names for _at, _before, name in self._waiting)

    def _look(self) -> None:
        figures = self.rig.figures()
        if figures.campaign.state is CampaignState.PAUSED and figures.campaign.note:
            self.resumed += 1  # ten orders in a row were killed: what a person would do
            campaigns.adopt(self.rig.store.engine, self.rig.campaign, "")
        now = time.monotonic()
        with self._lock:
            self.committed = figures.leases.get("committed", 0)
            done = [each for each in self._waiting if each[1] < self.committed]
            self._waiting = [each for each in self._waiting if each[1] >= self.committed]
            self.recovery += [(now - at, name) for at, _before, name in done]


class Soak:
    """One run: faults, what they cost, and the account at the end."""

    def __init__(self, rig: Rig, server: PostgresServer | None, seed: int, only: list[str]) -> None:
        self.rig, self.results = rig, Results(rig)
        self.chooser = random.Random(seed)
        faults = Faults(rig, server, self.chooser)
        self.grave = {name: do for name, do in faults.grave.items() if not only or name in only}
        self.quick = {name: do for name, do in faults.quick.items() if not only or name in only}
        self.injected: Counter[str] = Counter()
        self.failed: list[BaseException] = []

    def run(self, number: int, orders: int, seconds: float) -> None:
        """Inject ``number`` faults, or as many as ``seconds`` allow: a grave one after the other,
        and the quick ones meanwhile. It goes on until ``orders`` are committed.

        What this thread starts dies with it, so the grave faults are its own.
        """
        begun = line = time.monotonic()
        over = threading.Event()
        self.results.start()
        quick = [
            threading.Thread(target=self._quick, args=(number, over), daemon=True)
            for _ in range(QUICK)
        ]
        for each in quick:
            each.start()
        next_grave = begun
        while time.monotonic() - begun < seconds:
            left = self.injected.total() < number
            if not left and self.results.committed >= orders:
                break
            silent, what = self.results.silent()
            if silent > PATIENCE or self.failed:
                record = self.rig.figures()
                raise SystemExit(f"not recovered from {what!r}: {record} {self.failed}")
            over_it = not self.results.waits_for(self.grave)
            if self.grave and left and over_it and time.monotonic() > next_grave:
                name = self.chooser.choice(list(self.grave))
                self._do(name, self.grave[name])
                next_grave = time.monotonic() + (GRAVE_PAUSE if self.quick else 0.2)
            time.sleep(0.05)
            if time.monotonic() - line > LINE_SECONDS:
                line = time.monotonic()
                done, spent = self.injected.total(), line - begun
                wait = min((number - done) * spent / max(1, done), seconds - spent)
                print(
                    f"{done} faults, {self.results.committed} orders; {wait:.0f} s left", flush=True
                )
        over.set()
        for each in quick:
            each.join()
        while 0 < self.results.silent()[0] < PATIENCE:
            time.sleep(0.1)
        self.results.over.set()
        self.results.join()

    def _quick(self, number: int, over: threading.Event) -> None:
        weights = [weight for weight, _do in self.quick.values()]
        try:
            while self.quick and not over.wait(PAUSE) and self.injected.total() < number:
                if self.results.silent()[0] < UNFELT:
                    name = self.chooser.choices(list(self.quick), weights)[0]
                    self._do(name, self.quick[name][1])
        except BaseException as error:
            self.failed.append(error)

    def _do(self, name: str, do: Callable[[], bool]) -> None:
        with suppress(OutageError):  # the database is locked or gone, by another fault
            if do():
                self.injected[name] += 1
                self.results.felt(name)

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
    parser.add_argument("--orders", type=int, default=0, help="go on until so many are committed")
    parser.add_argument("--seconds", type=float, default=0, help="0: as long as the faults take")
    parser.add_argument("--recovery", type=float, default=RECOVERY, help="seconds that are allowed")
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
        rig = Rig(folder, url, SLOTS, given.plant, findings=FINDINGS, of=OF, seconds=ORDER_SECONDS)
        stack.callback(rig.close)
        soak = Soak(rig, server, given.seed, given.only)
        rig.start(seconds=0)
        rig.until(lambda figures: figures.leases.get("committed", 0) > 0)
        begun = time.monotonic()
        soak.run(given.faults, given.orders, given.seconds or float("inf"))
        spent = time.monotonic() - begun
        rig.drain()
        rig.until_done(300)
        return report(soak, spent, given.recovery)


def report(soak: Soak, spent: float, recovery: float) -> int:
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
    print(f"orders: {leases}; claimed once more: {figures.again}")
    print(f"campaign paused by ten failures in a row, and resumed: {soak.results.resumed}")
    for name, count in wrong.items():
        print(f"{name}: {count}")
    late = show_recovery(soak.results.recovery, recovery)
    return 1 if any(wrong.values()) or late else 0


def show_recovery(recovery: list[tuple[float, str]], longest: float) -> int:
    """Print how long results stayed away, the slowest kind first; how often too long."""
    of_kind: defaultdict[str, list[float]] = defaultdict(list)
    for seconds, name in recovery:
        of_kind[name].append(seconds)
    print(f"seconds to the next result after a fault, of which {longest:.0f} are allowed:")
    for name, times in sorted(of_kind.items(), key=lambda item: -max(item[1])):
        print(f"  {name}: median {median(times):.1f}, most {max(times):.1f}")
    every = [seconds for seconds, _name in recovery]
    if every:
        print(f"  all: median {median(every):.1f}, most {max(every):.1f}")
    return sum(seconds > longest for seconds in every)


if __name__ == "__main__":
    sys.exit(main())
