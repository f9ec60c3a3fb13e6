"""Runs the cases of ``confirm/known.json`` on real kernels again, and prints a row for each.

``python -m tests.quality.confirm_known TREES IMAGE... [--times 5] [--only NAME] [--json FILE]``
from the checkout: TREES is a folder with ``linux-VERSION`` for each version that the list's cases
were taken from. Each row is one ``stage2fuzz confirm``; its time is the whole command's. ``--cold``
gives each command an empty cache, so that it compiles our program and reads the kernel's symbols
anew.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

ANSWERS = ("confirmed", "refuted", "not reached")


def tree_of(trees: Path, version: str) -> Path:
    """The tree that a case was taken from: of 6.12.117 that is ``linux-6.12``."""
    major, minor, *_rest = version.partition("-")[0].split(".")
    return trees / f"linux-{major}.{minor}"


def row(known: dict[str, Any], trees: Path, image: Path, times: int, cold: bool) -> dict[str, Any]:
    """What one kernel says of one case."""
    tree = tree_of(trees, known["tree"])
    with tempfile.TemporaryDirectory() as scratch:
        case = Path(scratch) / "known.case"
        text = known["case"].replace("kernel:TREE", f"kernel:{tree}")
        case.write_text(f"stage2fuzz case 1\n{text}\nend\n")
        command = [sys.executable, "-m", "stage2fuzz", "confirm", str(case), "--json"]
        command += ["--kernel", str(image), "--times", str(times)]
        surroundings = os.environ | ({"XDG_CACHE_HOME": scratch} if cold else {})
        begun = time.monotonic()
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=surroundings
        )
        seconds = round(time.monotonic() - begun)
    if done.returncode == 2:
        return {"name": known["name"], "kernel": image.name, "refused": done.stderr.strip()}
    told = json.loads(done.stdout)
    runs: list[dict[str, Any]] = told["kernel"]["runs"]
    answers = [run["answer"] for run in runs]
    counts = {answer: answers.count(answer) for answer in ANSWERS}
    # A program of its own has one answer and no control beside its own.
    shown: dict[str, str] = next((run["shown"] for run in runs if run.get("shown")), {})
    missed = next((run["missed"] for run in runs if run.get("missed")), "")
    failed = sum(any("with errno" in line for line in run.get("evidence", ())) for run in runs)
    return {
        "name": known["name"],
        "kernel": told["kernel"]["release"],
        "answer": told["answer"],
        "runs": len(runs),
        **counts,
        "control": told["kernel"].get("serial", {"shown": {}})["shown"],
        "shown": shown,
        "missed": missed,
        "failed": failed,
        "seconds": seconds,
        "exit": done.returncode,
    }


def main() -> None:
    """Print a line for each case and image; the records go to ``--json``, as they come."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trees", type=Path)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cold", action="store_true")
    asked = parser.parse_args()
    text = files("stage2fuzz.confirm").joinpath("known.json").read_text()
    for known in json.loads(text)["findings"]:
        if "case" not in known or asked.only not in known["name"]:
            continue
        for image in asked.images:
            told = row(known, asked.trees, image, asked.times, asked.cold)
            print(_in_words(told), flush=True)
            if asked.json is not None:
                with asked.json.open("a") as kept:
                    kept.write(json.dumps(told) + "\n")


def _in_words(told: dict[str, Any]) -> str:
    if "refused" in told:
        return f"{told['name']}, {told['kernel']}: {told['refused']}"
    counts = ", ".join(f"{told[answer]} {answer}" for answer in ANSWERS if told[answer])
    control = "shows it, too" if told["control"] else "shows nothing"
    why = f" ({told['missed']})" if told["missed"] else ""
    shown = f"; {', '.join(told['shown'])} shown" if told["shown"] else ""
    failed = f"; KVM_RUN or an operation failed in {told['failed']}" if told["failed"] else ""
    return (
        f"{told['name']}, Linux {told['kernel']}: {told['answer']}, {told['runs']} runs: "
        f"{counts}{why}{shown}{failed}; the control {control}; {told['seconds']} s"
    )


if __name__ == "__main__":
    main()
