"""What a campaign costs beyond its fuzzing, in CPU time of it all: ``./run bench overhead``.

A local campaign and a bare ``fuzz`` run the same target for the same time on both cores; what each
process was at when it used its CPU time is sampled. Confirming, minimising and regressing are work
that was asked for, and the start of a command is paid once: they are counted apart. The CPU time of
a thousand schedules against the bare command's is the overhead. Where other work shares the cores
it says little: fuzzing gets less of them, and what goes by the clock does not. So it is said as
well what it comes to where each slot has a core of its own, from the parts.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.quality.cpu_parts import ONCE, Used, run_watched

ENGINES: Final = ("model:v5.10", "model:v5.12")
"""One that finds things, and one that does not."""
BY_SECOND: Final = ("coordinator", "worker", "broker", "command")
APART: Final = ("confirming", "minimising", "regressing")
FUZZING: Final = "fuzzing"


@dataclass(frozen=True, slots=True)
class Bill:
    """A command, and what it did."""

    used: Used
    schedules: int
    orders: int
    elapsed: float
    """Orders and seconds of a campaign; a bare command has an order for each of its jobs."""

    @property
    def work(self) -> float:
        """CPU seconds without what is counted apart, and without the start of the command."""
        return self.used.total - sum(
            seconds for part, seconds in self.used.parts.items() if is_apart(part)
        )

    @property
    def beside(self) -> float:
        """The share of that which was not fuzzing."""
        return 1 - self.used.parts.get(FUZZING, 0.0) / self.work

    @property
    def rate(self) -> float:
        """CPU seconds of a thousand schedules."""
        return 1000 * self.work / self.schedules

    def on_free_cores(self, jobs: int, order_seconds: int) -> float:
        """The share that is not fuzzing where every slot has a core to itself all the time.

        Other work on the machine takes time from the fuzzing alone: what runs by the clock stays.
        What an order costs is paid once an order, what looks and beats do by the second.
        """
        beside = {
            part: seconds
            for part, seconds in self.used.parts.items()
            if part != FUZZING and not is_apart(part)
        }
        by_second = sum(beside.get(part, 0.0) for part in BY_SECOND)
        by_order = sum(beside.values()) - by_second
        share = by_order / max(1, self.orders) / order_seconds + by_second / self.elapsed / jobs
        return share / (1 + share)


def is_apart(part: str) -> bool:
    """Whether a part is what findings cause, starts included, or what is paid once a command."""
    return part.removeprefix("starting: ") in (*APART, ONCE)


def bill(arguments: list[str], folder: Path, jobs: int, seconds: int) -> Bill:
    """Run a command of ours with ``--json`` for some seconds and read what it did."""
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    database = f"--database=sqlite:///{folder}/overhead.db"
    command = [sys.executable, "-m", "stage2fuzz", *arguments, database, "--json"]
    used = run_watched(command, environment)
    if used.code not in (0, 1, 3):
        sys.exit(used.output)
    told = json.loads(used.output)
    one = told.get("campaign", {})
    orders = one["orders"].get("committed", 0) if one else jobs
    return Bill(used, int(told["schedules"]), orders, one.get("elapsed", seconds))


def show(name: str, one: Bill) -> None:
    """Print the parts, the largest first."""
    print(f"{name}: {one.schedules:,} schedules, {one.used.total:.1f} s of CPU time")
    for part, seconds in sorted(one.used.parts.items(), key=lambda item: -item[1]):
        if not seconds:
            continue
        apart = "  (counted apart)" if is_apart(part) else ""
        print(f"  {part:<24}{seconds:8.2f} s{100 * seconds / one.used.total:7.1f} %{apart}")
    print(f"  not fuzzing: {one.beside:.1%}; {one.rate:.3f} s a thousand schedules", flush=True)


def main(arguments: list[str]) -> None:
    """Measure each engine, the bare command first."""
    parser = argparse.ArgumentParser(prog="bench overhead", description=__doc__)
    parser.add_argument("--engine", action="append", default=[], help="again for more")
    parser.add_argument("--target", default="map_race")
    parser.add_argument("--seconds", type=int, default=25, help="of fuzzing, of each command")
    parser.add_argument("--order-seconds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args(arguments)
    for engine in asked.engine or ENGINES:
        what = ["--engine", engine, "--target", asked.target]
        with tempfile.TemporaryDirectory(prefix="stage2fuzz-overhead-") as name:
            folder = Path(name)
            (folder / "bare").mkdir()
            (folder / "campaign").mkdir()
            often = ["--seconds", str(asked.seconds), "--jobs", str(asked.jobs)]
            bare = bill(["fuzz", *what, *often], folder / "bare", asked.jobs, asked.seconds)
            show(f"{engine}, bare", bare)
            reserve = min(30, asked.seconds // 4)
            service = ["--local", "--workers", str(asked.jobs), "--regress", ""]
            seconds = asked.seconds + reserve
            service += ["--seconds", str(seconds), "--order-seconds", str(asked.order_seconds)]
            start = ["campaign", "start", "bench", *what, *service]
            whole = bill(start, folder / "campaign", asked.jobs, seconds)
            show(f"{engine}, campaign with orders of {asked.order_seconds} s", whole)
            free = whole.on_free_cores(asked.jobs, asked.order_seconds)
            of_bare = bare.on_free_cores(asked.jobs, asked.seconds)
            print(f"{engine}: {whole.rate / bare.rate - 1:+.1%} CPU time for the same schedules")
            print(
                f"{engine}: {(1 - of_bare) / (1 - free) - 1:+.1%} where each slot has a core; "
                f"not fuzzing: {free:.1%}, of the bare command {of_bare:.1%}",
                flush=True,
            )
