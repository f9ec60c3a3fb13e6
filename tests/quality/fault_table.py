"""Prints how often each strategy finds each fault of v5.10, as in ``docs/schedules.md``.

``python -m tests.quality.fault_table [RUNS]`` from the checkout; 3,000 runs a row if not given.
The scenario is the smallest race: two vCPUs, one executes a page, the other writes it.
"""

import sys
from collections import Counter

from stage2fuzz.arch import EXECUTE, WRITE
from stage2fuzz.case.scenario import Access, Scenario
from stage2fuzz.run import run_scheduled
from stage2fuzz.schedule import STRATEGIES, strategy

RACE = Scenario(vcpus=((Access(EXECUTE, 0),), (Access(WRITE, 0),)))
ORACLES = ("C6", "G1", "G2", "G3")


def main(runs: int) -> None:
    """Print the table as Markdown; the share of runs in which each oracle spoke."""
    print("| strategy |", " | ".join(ORACLES), "|")
    print("|---|" + "---|" * len(ORACLES))
    for name in STRATEGIES:
        made, spoke = strategy(name, 1), Counter[str]()
        for _ in range(runs):
            outcome = run_scheduled("model:v5.10", RACE, made)
            spoke.update({violation.oracle for violation in outcome.violations})
        print(f"| {name} |", " | ".join(f"{spoke[o] / runs:.4f}" for o in ORACLES), "|", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3_000)
