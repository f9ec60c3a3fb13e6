"""Prints which planted faults a session of each command shows.

``python -m tests.quality.guidance TREE [--seconds 10] [--seeds 2] [--every 4]`` from the checkout.
Does guidance pay? Each fault is planted in a copy of the tree; ``kernel explore``, which draws
scenarios at random, and ``fuzz``, which Atheris guides, get the same seconds of one process each.
What either shows of the clean tree, or is a known cause, is no news. ``explore`` returns to the
scenarios that were made for these faults, so it has a start that ``fuzz`` has not.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

from stage2fuzz.kernel.faults import FAULTS
from stage2fuzz.kernel.mutants import copy_tree, plant

WAYS: Final = ("explore", "fuzz")
CLEAN: Final = 3
"""Times as many seeds the clean tree gets."""


def session(way: str, tree: Path, seconds: int, seed: int, place: Path) -> set[str]:
    """The signatures of a session that are no known cause."""
    database = place / f"{way}-{seed}.db"
    database.unlink(missing_ok=True)
    named = (
        ("kernel", "explore", tree) if way == "explore" else ("fuzz", "--engine", f"kernel:{tree}")
    )
    limits = ("--seconds", seconds, "--jobs", 1, "--seed", seed, "--json", "--database", database)
    command = [sys.executable, "-m", "stage2fuzz", *map(str, (*named, *limits))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 3):
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    told: dict[str, Any] = json.loads(done.stdout)
    found = told["signatures" if way == "explore" else "findings"]
    return {each["signature"] for each in found if not each["known"]}


def main(tree: Path, seconds: int, seeds: int, every: int) -> None:
    """Print a row a fault as Markdown, and the sums."""
    print(f"| fault | {' | '.join(WAYS)} | a signature of it |\n|---|---|---|---|")
    sums, faults, numbers = Counter[str](), 0, range(1, seeds + 1)
    with tempfile.TemporaryDirectory(prefix="stage2fuzz-guidance-") as name:
        place = Path(name)
        clean = {
            signature
            for way in WAYS
            for seed in range(1, CLEAN * seeds + 1)
            for signature in session(way, tree, seconds, seed, place)
        }
        for fault in FAULTS[::every]:
            copy = place / fault.name
            copy_tree(tree, copy)
            if fault.unit or not plant(copy, fault):
                continue
            faults += 1
            news = {
                way: [session(way, copy, seconds, seed, place) - clean for seed in numbers]
                for way in WAYS
            }
            sums.update({way: sum(map(bool, news[way])) for way in WAYS})
            cells = " | ".join(f"{sum(map(bool, news[way]))}/{seeds}" for way in WAYS)
            shown = sorted({each for way in WAYS for showed in news[way] for each in showed})
            print(f"| {fault.name} | {cells} | {shown[0] if shown else ''} |", flush=True)
    cells = " | ".join(f"{sums[way]}/{faults * seeds}" for way in WAYS)
    print(f"| {faults} faults | {cells} | |")


if __name__ == "__main__":
    reader = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    reader.add_argument("tree", type=Path)
    reader.add_argument("--seconds", type=int, default=10, help="of each session")
    reader.add_argument("--seeds", type=int, default=2, help="sessions of each fault and command")
    reader.add_argument("--every", type=int, default=4, help="of so many faults one is planted")
    asked = reader.parse_args()
    main(asked.tree.resolve(), asked.seconds, asked.seeds, asked.every)
