"""A campaign left alone: real fuzzing by the real command, a fault every ten seconds, the account.

``python -m tests.quality.left_alone --minutes 20`` starts ``campaign start --local`` and kills or
freezes one of its processes again and again. The exit code is 1 if the campaign does not end on
time, if an order is left over or counted twice, if a worker wrote that had been given up, or if a
sum is not that of the rows it was made of.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import create_engine, text

from tests.service.rig import WORKER, below, command_of, fork_servers, name_of

ALLOWANCE: Final = 30.0
"""Seconds on top of what was asked for, in all: to start and to end, on a busy machine."""
FROZEN: Final = (1.0, 5.0)
LINE_SECONDS: Final = 30.0
PARTS: Final = {
    "broker": (b"valkey-server", b"redis-server"),
    "coordinator": (b"stage2fuzz.coordinator",),
    "worker": (WORKER,),
}
FORK_SERVER: Final = "fork server"
FUZZING: Final = "fuzzing process"
KILLED: Final = (*PARTS, FORK_SERVER, FUZZING)
FREEZABLE: Final = ("coordinator", "worker", FUZZING)
SUMS: Final = {
    "schedules that no result has": "SELECT schedules - (SELECT SUM(json_extract(body, "
    "'$.schedules')) FROM lease_result) FROM campaign",
    "results not counted": "SELECT COUNT(*) FROM lease_result WHERE NOT merged",
    "orders left over": "SELECT COUNT(*) FROM lease WHERE state IN ('ready', 'leased')",
    "orders committed without a result": "SELECT COUNT(*) FROM lease WHERE state = 'committed' "
    "AND id NOT IN (SELECT lease_id FROM lease_result)",
    "results of workers given up": "SELECT COUNT(*) FROM lease JOIN lease_result ON "
    "lease_id = lease.id WHERE lease_result.epoch NOT IN (0, lease.epoch)",
    "findings counted too often or too seldom": "SELECT COUNT(*) FROM finding WHERE count <> "
    "(SELECT COUNT(*) FROM lease_report WHERE finding_id = finding.id)",
    "findings without a sighting": "SELECT (SELECT COUNT(*) FROM finding) - "
    "(SELECT COUNT(*) FROM sighting)",
    "orders cut short and not counted": "SELECT COUNT(*) FROM lease WHERE state = 'cancelled' AND "
    "kind = 'fuzz' AND epoch > 0",
}
"""What must be 0 in the database of one campaign."""
TIMES: Final = (
    "SELECT (SELECT MIN(started) FROM worker WHERE part = 'worker'), ticked FROM campaign"
)
"""When the first worker gave a sign of life, and when the campaign's clock was last looked at."""
SOFT: Final = "orders cut short and not counted"
"""Not an error where a fault hit the order's worker at the very end."""


class Faults:
    """What may happen to the processes below one command."""

    def __init__(self, root: int, chooser: random.Random) -> None:
        self.root, self.chooser = root, chooser
        killed = {f"{part} killed": partial(self.hit, part, True) for part in KILLED}
        frozen = {f"{part} frozen": partial(self.hit, part, False) for part in FREEZABLE}
        self.by_name: dict[str, Callable[[], bool]] = {**killed, **frozen}

    def hit(self, part: str, kill: bool) -> bool:
        """Kill or freeze one process of a part; whether there was one."""
        found = self.find(part)
        if not found:
            return False
        process = self.chooser.choice(found)
        with suppress(ProcessLookupError):
            if kill:
                os.kill(process, signal.SIGKILL)
            else:
                os.kill(process, signal.SIGSTOP)
                time.sleep(self.chooser.uniform(*FROZEN))
                os.kill(process, signal.SIGCONT)
        return True

    def find(self, part: str) -> list[int]:
        """The processes of a part: main processes and those of a pool alike."""
        if part == FORK_SERVER:
            return fork_servers(self.root)
        every = below(self.root)
        if part == FUZZING:
            return [each for each in every if name_of(each) in ("fuzz", "seeds")]
        return [each for each in every if any(name in command_of(each) for name in PARTS[part])]


def account(database: Path) -> dict[str, int]:
    """What is wrong in the books, by name, as numbers that must be 0."""
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        wrong = {
            name: int(connection.execute(text(query)).scalar_one() or 0)
            for name, query in SUMS.items()
        }
    engine.dispose()
    return wrong


def lateness(
    database: Path, seconds: int, begun: float, ended: float, elapsed: float
) -> dict[str, float]:
    """The seconds beyond those that were asked for, by where they went."""
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        first, last = connection.execute(text(TIMES)).one()
    engine.dispose()
    return {
        "over its own time": elapsed - seconds,
        "until the first worker": first - begun,
        "in which none was there": last - first - elapsed,
        "from the campaign's end to the command's": ended - last,
    }


def main() -> int:
    """Run it, hit it, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--every", type=float, default=10, help="seconds between two faults")
    parser.add_argument("--engine", default="model:v5.10")
    parser.add_argument("--order-seconds", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    seconds = round(60 * given.minutes)
    with tempfile.TemporaryDirectory(prefix="stage2fuzz-left-alone-") as folder:
        database = Path(folder) / "night.db"
        command = ["campaign", "start", "night", "--local", "--json", "--engine", given.engine]
        command += ["--seconds", str(seconds), "--workers", str(given.workers)]
        command += ["--order-seconds", str(given.order_seconds)]
        begun = time.time()
        process = subprocess.Popen(
            [sys.executable, "-m", "stage2fuzz", *command, f"--database=sqlite:///{database}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        done = inject(process, seconds, given.every, random.Random(given.seed))
        output, _ = process.communicate()
        elapsed = json.loads(output)["campaign"]["elapsed"]
        late = lateness(database, seconds, begun, time.time(), elapsed)
        return report(output, process.returncode, late, done, database)


def inject(
    process: subprocess.Popen[str], seconds: int, every: float, chooser: random.Random
) -> Counter[str]:
    """A fault every so many seconds until the command ends; which, how often."""
    faults, done = Faults(process.pid, chooser), Counter[str]()
    begun = line = time.monotonic()
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(every)
            return done
        name = chooser.choice(list(faults.by_name))
        done[name] += faults.by_name[name]()
        if time.monotonic() - line > LINE_SECONDS:
            line = time.monotonic()
            left = seconds - (line - begun)
            print(f"{done.total()} faults; {left:.0f} s left", flush=True)


def report(
    output: str, code: int, late: Mapping[str, float], done: Counter[str], database: Path
) -> int:
    """Print the account; 1 where something is wrong."""
    told = json.loads(output)["campaign"]
    print(
        f"exit code {code}, {told['state']} after {told['elapsed']:.0f} s of its own time, ", end=""
    )
    print(", ".join(f"{seconds:.0f} s {where}" for where, seconds in late.items()))
    print(f"{told['schedules']:,} schedules, {told['features']:,} features, ", end="")
    print(f"{told['findings']} findings; orders: {told['orders']}; again: {told['orders_again']}")
    print(f"note: {told['note'] or 'none'}; cut short: {told['orders_cut_short']}")
    print(f"{done.total()} faults of {len(+done)} kinds")
    for name, times in sorted((+done).items()):
        print(f"  {times} x {name}")
    wrong = account(database)
    for name, number in wrong.items():
        print(f"{name}: {number}")
    hard = any(number for name, number in wrong.items() if name != SOFT)
    ended = sum(late.values()) <= ALLOWANCE and told["state"] == "done" and code in (0, 1, 3)
    return 0 if ended and not hard else 1


if __name__ == "__main__":
    sys.exit(main())
