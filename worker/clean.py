"""Ask a clean process what features some inputs have, or what a case shows."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stage2fuzz.worker import process

MAX_ANSWER: Final = 64 << 20
"""Bytes of answers that are read; a process that writes more has gone wrong."""

MAX_KILLERS: Final = 16
"""Inputs of one batch that may kill the process before we rather doubt the process."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Complete answer lines, in order, and how the process ended."""

    lines: tuple[dict[str, Any], ...]
    ended: process.Ended


def ask(
    folder: Path,
    request: Mapping[str, object],
    seconds: float,
    beat: Callable[[], None],
    hash_seed: int = 0,
) -> Answers:
    """Run ``stage2fuzz.worker.child`` on one request, confined like everything that runs a case."""
    question, answer = folder / "request.json", folder / "answers.jsonl"
    question.write_text(json.dumps(request))
    answer.unlink(missing_ok=True)
    program = (sys.executable, "-m", "stage2fuzz.worker.child", question.name, answer.name)
    ended = process.run(program, folder, seconds, beat, {"PYTHONHASHSEED": str(hash_seed)})
    return Answers(_lines(answer), ended)


def measure(
    folder: Path,
    engine: str,
    target: str,
    files: Sequence[str],
    seconds: float,
    beat: Callable[[], None],
) -> tuple[dict[str, frozenset[int]], dict[str, process.Ended]]:
    """Features of input files below ``folder``, and the files that killed or hung the process.

    One process measures them all; where it dies, the first file without an answer is what it
    died of, and a new process goes on behind it.
    """
    features: dict[str, frozenset[int]] = {}
    killers: dict[str, process.Ended] = {}
    left = list(files)
    while left:
        request = {"do": "measure", "engine": engine, "target": target, "files": left}
        answers = ask(folder, request, seconds, beat)
        for line in answers.lines:
            features[line["file"]] = frozenset(line["features"])
        left = left[len(answers.lines) :]
        if left and answers.ended.how == "ok":
            raise ValueError("the measuring process left inputs out")
        if left:
            killers[left.pop(0)] = answers.ended
        if len(killers) > MAX_KILLERS:
            raise ValueError(f"{len(killers)} inputs in a row can't be measured")
    return features, killers


def _lines(path: Path) -> tuple[dict[str, Any], ...]:
    """Every complete line; a last one cut off by a kill counts as none."""
    if not path.exists() or path.stat().st_size > MAX_ANSWER:
        return ()
    complete = path.read_text().rpartition("\n")[0]
    return tuple(json.loads(line) for line in complete.splitlines())
