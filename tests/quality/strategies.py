"""How soon each strategy finds each fault, at equal CPU time: ``./run bench strategies``.

Each trial runs one scenario of one faulty model under one strategy and seed until an oracle names
the fault, or the time is over; what was not found in time is censored there, never left out. A12 is
the chance that the strategy needs fewer schedules than the random walk (Vargha and Delaney); the
time of two trials that differ by chance says less, so ties of what was not found count a half.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from typing import Final

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.scenario import Access, Backing, HostOp, Op, Scenario, Slot
from stage2fuzz.run import run_scheduled
from stage2fuzz.schedule import STRATEGIES, strategy
from stage2fuzz.schedule.base import Scheduler
from tests.quality.curves import curves

_R, _W, _X = (Access(kind, 0) for kind in (READ, WRITE, EXECUTE))
_LOGGED: Final = (Slot(4, logging=True),)
PORTFOLIO: Final = "portfolio"
"""Each strategy in turn, a schedule each."""
ALL: Final = (*STRATEGIES, PORTFOLIO)
BASE: Final = "random"


@dataclass(frozen=True, slots=True)
class Subject:
    """A fault, where it can show, and the words with which the signature that names it begins."""

    name: str
    engine: str
    scenario: Scenario
    wanted: str


SUBJECTS: Final = (
    Subject("permission lost", "model:v5.10", Scenario(vcpus=((_X, _X), (_W, _W))), "C6"),
    Subject("stuck, three vCPUs", "model:v5.10", Scenario(vcpus=((_X,), (_W,), (_R,))), "G1"),
    Subject("stuck, logging", "model:v5.10", Scenario(_LOGGED, ((_W,), (_R,))), "G1"),
    Subject(
        "stuck, block",
        "model:v5.10",
        Scenario((Slot(512, Backing.PMD),), ((_X,), (_W,))),
        "G1",
    ),
    Subject(
        "late sequence",
        "model:v6.1!sequence_after_lookup",
        Scenario(vcpus=((_W,), (_R, _R)), hosts=((HostOp(Op.MOVE),),)),
        "B4",
    ),
    Subject(
        "no retry, two moves",
        "model:v6.1!no_retry",
        Scenario(vcpus=((_R,),), hosts=((HostOp(Op.MOVE),), (HostOp(Op.MOVE),))),
        "B4",
    ),
    Subject(
        "marked late",
        "model:v6.12",
        Scenario(vcpus=((_W,), (_R, _R)), hosts=((HostOp(Op.MOVE),),)),
        "D8",
    ),
    Subject(
        "aged leaf broken",
        "model:v6.1",
        Scenario(vcpus=((_W, _R), (_X, _X)), hosts=((HostOp(Op.AGE), HostOp(Op.AGE)),)),
        "C6",
    ),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """What it took; ``found`` says whether it was found, or the time was over."""

    found: bool
    schedules: int
    seconds: float


def scheduler_of(name: str, seed: int) -> Iterator[Scheduler]:
    """The scheduler of each schedule of a trial."""
    parts = [strategy(each, seed) for each in (STRATEGIES if name == PORTFOLIO else (name,))]
    while True:
        yield from parts


def trial(subject: Subject, name: str, seed: int, limit: float) -> Trial:
    """One strategy and seed, until the fault is named or so many CPU seconds are over."""
    begun, schedules, spent = time.process_time(), 0, 0.0
    for scheduler in scheduler_of(name, seed):
        outcome = run_scheduled(subject.engine, subject.scenario, scheduler)
        schedules += 1
        spent = time.process_time() - begun
        if any(each.signature.startswith(f"{subject.wanted} ") for each in outcome.violations):
            return Trial(True, schedules, spent)
        if spent > limit:
            break
    return Trial(False, schedules, spent)


def median(trials: Sequence[Trial], limit: float) -> tuple[float, float, float]:
    """The median of CPU seconds and an interval of about 95 % by ranks; ``inf`` is beyond the
    limit."""
    times = sorted(each.seconds if each.found else float("inf") for each in trials)
    half = 0.98 * len(times) ** 0.5
    low, high = (round(len(times) / 2 + side * half) for side in (-1, 1))
    middle = statistics.median_low(times)
    return middle, times[max(0, low - 1)], times[min(len(times) - 1, high)]


def a12(ours: Sequence[Trial], base: Sequence[Trial]) -> float:
    """The chance that one of ours needs fewer schedules than one of the base's."""
    score = 0.0
    for one in ours:
        for other in base:
            mine = one.schedules if one.found else float("inf")
            theirs = other.schedules if other.found else float("inf")
            score += 1.0 if mine < theirs else 0.5 if mine == theirs else 0.0
    return score / (len(ours) * len(base))


def speed(trials: Sequence[Trial]) -> float:
    """Faults found a CPU second: the rate that fits exponential times with censored ones best."""
    return sum(each.found for each in trials) / sum(each.seconds for each in trials)


def gain(name: str, told: dict[tuple[str, str], list[Trial]]) -> float:
    """How many times faster than the random walk: geometric mean over the faults that either
    finds; half a fault stands for none."""
    ratios = []
    for subject in SUBJECTS:
        ours, base = told[subject.name, name], told[subject.name, BASE]
        if any(each.found for each in (*ours, *base)):
            floors = [0.5 / sum(each.seconds for each in side) for side in (ours, base)]
            ratios.append(log(max(speed(ours), floors[0]) / max(speed(base), floors[1])))
    return exp(statistics.fmean(ratios)) if ratios else 1.0


def main(words: Sequence[str]) -> None:
    """Print the table as Markdown, and write the curves."""
    parser = argparse.ArgumentParser(prog="bench strategies", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of CPU time a trial")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--svg", type=Path, help="write survival curves there")
    asked = parser.parse_args(words)
    told: dict[tuple[str, str], list[Trial]] = defaultdict(list)
    for subject in SUBJECTS:
        # Whatever is made once, such as an engine, is made before the first clock starts.
        run_scheduled(subject.engine, subject.scenario, strategy(BASE, 0))
    print("| fault |", " | ".join(ALL), "|")
    print("|---|" + "---|" * len(ALL), flush=True)
    for subject in SUBJECTS:
        for seed in range(1, asked.seeds + 1):
            for name in ALL:
                told[subject.name, name].append(trial(subject, name, seed, asked.seconds))
        cells = [_cell(told[subject.name, name], asked.seconds) for name in ALL]
        print(f"| {subject.name} |", " | ".join(cells), "|", flush=True)
    by_strategy = {name: [t for s in SUBJECTS for t in told[s.name, name]] for name in ALL}
    scores = {
        name: statistics.fmean(
            a12(told[each.name, name], told[each.name, BASE]) for each in SUBJECTS
        )
        for name in ALL
    }
    shares = {name: statistics.fmean(t.found for t in by_strategy[name]) for name in ALL}
    print("| found |", " | ".join(f"{shares[name]:.0%}" for name in ALL), "|")
    print("| A12 against random |", " | ".join(f"{scores[name]:.2f}" for name in ALL), "|")
    print("| times as fast |", " | ".join(f"{gain(name, told):.2f}" for name in ALL), "|")
    if asked.svg is not None:
        lines = {
            name: [each.seconds if each.found else None for each in trials]
            for name, trials in by_strategy.items()
        }
        asked.svg.write_text(curves(lines, asked.seconds))


def _cell(trials: Sequence[Trial], limit: float) -> str:
    found = sum(each.found for each in trials)
    if not found:
        return f"0/{len(trials)}"
    middle, low, high = (_seconds(each) for each in median(trials, limit))
    return f"{found}/{len(trials)}, {middle} ({low} to {high})"


def _seconds(value: float) -> str:
    return f"{value:.2g}" if value != float("inf") else "-"
