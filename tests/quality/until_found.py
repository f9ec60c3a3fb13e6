"""Prints how soon our own loop finds the series' faults in a tree, as in ``docs/findings.md``.

``python -m tests.quality.until_found TREE [SECONDS]`` from the checkout; each fault gets 300 s at
most if not given. Schedules are counted and seeds fixed; only the seconds depend on the machine.
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.fuzz.greybox import Greybox
from stage2fuzz.fuzz.harness import Harness
from stage2fuzz.fuzz_targets.driver import seed_inputs
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.session.reproduce import minimise_finding

SEEDS: Final = (1, 2, 3)
FAULTS: Final[dict[str, tuple[str, Callable[[str], bool]]]] = {
    "permission taken away": ("map_race", lambda said: said.startswith("C6 ")),
    "stuck: loop B": ("block_split", lambda said: said.startswith("G1 ") and "block" in said),
}
"""Fault -> its target, and whether a signature names it."""


class FoundError(Exception):
    """The wanted fault, as soon as a run shows it: no error, but the way out of the loop."""

    def __init__(self, case: Case, signature: str) -> None:
        super().__init__(signature)
        self.case, self.signature = case, signature


class Wanted(Harness):
    """A harness that ends the loop when it would record what is ``wanted``."""

    def __init__(self, engine: str, target: str, wanted: Callable[[str], bool]) -> None:
        super().__init__(engine, target)
        self._wanted = wanted

    def _record(self, case: Case, violation: Violation) -> None:
        if self._wanted(violation.signature):
            raise FoundError(case, violation.signature)


@dataclass(frozen=True, slots=True)
class Until:
    """What it took, and the first case that showed the fault; None if none did in time."""

    schedules: int
    seconds: float
    case: Case | None = None
    signature: str = ""


def until_found(engine: str, fault: str, seed: int, seeds: bool, limit: float) -> Until:
    """Fuzz with our own loop until ``fault`` shows, from the shipped seeds or from nothing.

    In a process of its own, or what earlier calls have seen is not judged again.
    """
    target, wanted = FAULTS[fault]
    harness = Wanted(engine, target, wanted)
    start = time.monotonic()
    try:
        Greybox(harness, seed).fuzz(seed_inputs(target) if seeds else (), limit)
    except FoundError as shown:
        spent = time.monotonic() - start
        return Until(harness.schedules, spent, shown.case, shown.signature)
    return Until(harness.schedules, time.monotonic() - start)


def main(tree: str, limit: float) -> None:
    """Print a row for each fault and each way to begin."""
    print("| fault | from | schedules, s of seeds 1, 2, 3 | smallest case |")
    print("|---|---|---|---|")
    alone = ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1)
    for fault in FAULTS:
        for seeds, begin in ((True, "our seeds"), (False, "nothing")):
            cells, cases = [], []
            for seed in SEEDS:
                asked = (f"kernel:{tree}", fault, seed, seeds, limit)
                until = alone.submit(until_found, *asked).result()
                if until.case is None:
                    cells.append("-")
                    continue
                cells.append(f"{until.schedules:,} in {until.seconds:.1f}")
                small = minimise_finding(until.case, until.signature)
                cases.append((small.preemptions, len(small.case.schedule.runs)))
            smallest = "{} preemptions, {} runs".format(*min(cases)) if cases else "-"
            print(f"| {fault} | {begin} | {', '.join(cells)} | {smallest} |", flush=True)
    alone.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 300.0)
