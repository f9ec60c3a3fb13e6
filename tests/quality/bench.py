"""Schedules a second of the reference scenario on this machine: ``./run bench``.

``./run bench overhead`` measures instead what a campaign costs beyond its fuzzing, ``./run bench
strategies`` how soon each strategy finds each of some faults.

Three vCPUs, one page, two accesses each. Not a test: machines differ and are shared, so each figure
is the best and the median of several rounds of CPU time on one core.
"""

import argparse
import cProfile
import platform
import pstats
import resource
import statistics
import sys
import time
from collections.abc import Callable
from itertools import count
from random import Random

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.case import Case
from stage2fuzz.case.codec import encode
from stage2fuzz.case.scenario import Access, Scenario, Slot
from stage2fuzz.engine import engine_of
from stage2fuzz.fuzz.harness import Harness
from stage2fuzz.run import run
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.schedule.replay import Replay
from tests.quality import overhead, strategies

REFERENCE = Scenario(
    slots=(Slot(logging=True),),
    vcpus=(
        (Access(WRITE, 0), Access(WRITE, 0)),
        (Access(READ, 0), Access(READ, 0)),
        (Access(EXECUTE, 0), Access(READ, 0)),
    ),
)


def schedules(number: int, seed: int = 1) -> list[Schedule]:
    """Random schedules of about a dozen preemptions."""
    draw = Random(seed)
    return [
        Schedule(tuple((draw.randrange(3), draw.randrange(1, 24)) for _ in range(12)))
        for _ in range(number)
    ]


def measure(
    name: str, work: Callable[[], int], rounds: int, prepare: Callable[[], None] | None = None
) -> None:
    """Print the rate of ``work``, which returns how many schedules it ran.

    ``prepare`` is called before each round and its time is not counted.
    """
    rates = []
    for _ in range(rounds + 1):
        if prepare is not None:
            prepare()
        start = time.process_time()
        done = work()
        rates.append(done / (time.process_time() - start))
    del rates[0]
    print(f"{name:<44}{max(rates):>9,.0f}/s best {statistics.median(rates):>9,.0f}/s median")


def main() -> None:
    """Measure the engine alone, judged, and as one fuzz input."""
    if sys.argv[1:2] == ["overhead"]:
        overhead.main(sys.argv[2:])
        return
    if sys.argv[1:2] == ["strategies"]:
        strategies.main(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--engine", default="model:v5.10")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--profile", action="store_true", help="where the time of a run goes")
    parser.add_argument("--memory", type=int, default=0, metavar="SECONDS", help="is it flat?")
    asked = parser.parse_args()
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    engine, many = engine_of(asked.engine), schedules(1000)
    cases = [Case(asked.engine, REFERENCE, schedule) for schedule in many]
    inputs: list[bytes] = []
    harness = Harness(asked.engine, "any")
    seeds = count(2)

    def engine_alone() -> int:
        for schedule in many:
            engine.run(REFERENCE, Replay(schedule))
        return len(many)

    def judged() -> int:
        for case in cases:
            run(case)
        return len(cases)

    def fresh_inputs() -> None:
        """Others in each round: the harness would remember the verdicts of the same ones."""
        drawn = schedules(1000, next(seeds))
        inputs[:] = [encode(Case(asked.engine, REFERENCE, schedule)) for schedule in drawn]

    def fuzzed() -> int:
        before = harness.schedules
        for data in inputs:
            harness.one_input(data)
        return harness.schedules - before

    if asked.memory:
        _memory(fuzzed, asked.memory, fresh_inputs)
        return
    steps = sum(len(engine.run(REFERENCE, Replay(s)).events) for s in many) / len(many)
    print(f"{asked.engine}: {steps:.0f} events a schedule")
    measure("engine alone", engine_alone, asked.rounds)
    measure("engine and all oracles", judged, asked.rounds)
    measure("fuzz input (decode, two runs, features)", fuzzed, asked.rounds, fresh_inputs)
    remembered = 1 - harness.portfolio.judged / harness.schedules
    print(f"verdicts remembered while fuzzing: {remembered:.0%}")
    if asked.profile:
        profile = cProfile.Profile()
        profile.runcall(judged)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


def _memory(work: Callable[[], int], seconds: int, prepare: Callable[[], None]) -> None:
    """Print the peak memory while ``work`` is repeated, at ten times."""
    end, done = time.monotonic() + seconds, 0
    next_line = time.monotonic()
    while time.monotonic() < end:
        prepare()
        done += work()
        if time.monotonic() >= next_line:
            next_line += seconds / 10
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(f"{done:>10,} schedules  {peak / 1024:8.1f} MiB", flush=True)


if __name__ == "__main__":
    main()
