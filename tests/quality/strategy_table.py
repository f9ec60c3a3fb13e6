"""Prints how often each strategy hits each micro-program, as in ``docs/schedules.md``.

``python -m tests.quality.strategy_table [RUNS]`` from the checkout; 4,000 runs a cell if not given.
Seeds are fixed, so that the same argument prints the same table.
"""

import sys
import time
from collections.abc import Iterator
from typing import Any

from stage2fuzz.schedule import strategy
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.schedule.dependence import shared_location
from stage2fuzz.schedule.replay import Replay
from tests.schedule.programs import (
    X,
    Y,
    Z,
    abba,
    far_read,
    lost_update,
    reorder,
    three_orders,
    two_windows,
    window,
)
from tests.schedule.toy import Program, run

LOCKS = (shared_location((40, X)), shared_location((40, Y)))
PROGRAMS: list[tuple[str, Program, tuple[int, ...]]] = [
    ("A lost update", lost_update, (X,)),
    ("B window, noise 10", window(10), (X, Y)),
    ("B window, noise 50", window(50), (X, Y)),
    ("C 3 setters, checker", reorder(3), (X, Y)),
    ("C 10 setters, checker", reorder(10), (X, Y)),
    ("D ABBA deadlock, noise 10", abba(10), LOCKS),
    ("E two windows, noise 10", two_windows(10), (X,)),
    ("F last of 100 writes", far_read(100), (X,)),
    ("G order of depth 3", three_orders, (X, Y, Z)),
]


def columns(steps: int, locations: tuple[int, ...]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Heading, strategy and options of each column."""
    yield "random", "random", {}
    yield "pct 2", "pct", {"depth": 2, "steps": steps}
    yield "pct 3", "pct", {"depth": 3, "steps": steps}
    yield "pos", "pos", {}
    yield "urw", "surw", {"interesting": "everything"}
    yield "surw", "surw", {"locations": locations}
    yield "breaker", "breaker", {}


def cell(program: Program, name: str, options: dict[str, Any], runs: int) -> float:
    """Share of ``runs`` runs that hit; five more come first, for those that measure."""
    made = strategy(name, 1, **options)
    for _ in range(5):
        run(program, made)
    results = (run(program, made) for _ in range(runs))
    return sum(result.bug or result.deadlock for result in results) / runs


def main(runs: int) -> None:
    """Print the table as Markdown."""
    headings = [heading for heading, _, _ in columns(1, ())]
    print("| program |", " | ".join(headings), "|")
    print("|---|" + "---|" * len(headings))
    start = time.perf_counter()
    for title, program, locations in PROGRAMS:
        steps = len(run(program, Replay(Schedule())).steps)
        cells = [cell(program, name, made, runs) for _, name, made in columns(steps, locations)]
        print(f"| {title} |", " | ".join(f"{rate:.4f}" for rate in cells), "|", flush=True)
    print(f"\n{runs} runs a cell, {time.perf_counter() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4_000)
