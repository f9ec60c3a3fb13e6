"""stage2fuzz compare --real: our model of the host held against a real kernel."""

import sys
import time
from pathlib import Path
from typing import Final

import typer

from stage2fuzz.case.text import format_case
from stage2fuzz.cli.output import emit, say, write
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.confirm.against import RealComparison, against
from stage2fuzz.confirm.switched import SwitchedComparison, compare_switched
from stage2fuzz.confirm.view import HostDifference, differences_in_words

SHOWN = 20
SEQUENTIAL_SHARE: Final = 0.75
"""Of the time, where both kinds of case are asked for."""


class _Differences:
    """What was found so far: kept at once, for hours of work end by a key as well."""

    def __init__(self, engine: str, output: Path | None, quiet: bool) -> None:
        self._engine, self._output, self._quiet = engine, output, quiet
        self.found: list[HostDifference] = []

    def __call__(self, difference: HostDifference) -> None:
        """One more: into its file, and shown."""
        self.found.append(difference)
        text = format_case(difference.case)
        if self._output is not None:
            write(self._output / f"difference-{difference.seed}.case", text)
        if self._quiet or len(self.found) > SHOWN:
            return
        for line in differences_in_words(difference, self._engine):
            say(line)
        for line in text.splitlines()[1:-1]:
            say(f"    {line}")
        sys.stdout.flush()


def compare_real(
    engine: str,
    image: Path,
    seconds: int,
    seed: int,
    share: float,
    output: Path | None,
    as_json: bool,
) -> None:
    """Random cases on both, for this share of the time without switches; exit 1 if any differ."""
    differences = _Differences(engine, output, as_json)
    begun = time.monotonic()
    alone, forced = RealComparison(), SwitchedComparison()
    with ProgressLine(as_json) as progress:

        def told(done: RealComparison | SwitchedComparison) -> None:
            kind = "forced" if isinstance(done, SwitchedComparison) else "sequential"
            line = f"{done.cases} {kind} cases, {len(differences.found)} differ"
            progress.update(line, min(1.0, (time.monotonic() - begun) / seconds))

        if share:
            alone = against(engine, image, seconds * share, seed, differences, told)
        sequential = len(differences.found)
        if share < 1:
            forced = compare_switched(engine, image, begun + seconds, seed, differences, told)
    if as_json:
        emit(_record(engine, alone, forced, differences.found))
    else:
        if share:
            _sum_up(engine, alone, sequential)
        if share < 1:
            _sum_up_forced(engine, forced, len(differences.found) - sequential)
    raise typer.Exit(1 if differences.found else 0 if alone.cases + forced.cases else 3)


def _sum_up(engine: str, done: RealComparison, different: int) -> None:
    rate = done.cases * 60 / max(done.seconds, 1)
    say(
        f"{done.cases:,} sequential cases on {engine} and Linux {done.release}, {rate:,.0f} a "
        f"minute: {done.cases - different:,} the same, {different:,} not"
    )
    if done.skipped:
        say(f"{done.skipped} cases left out: the kernel had no huge page for them")


def _sum_up_forced(engine: str, done: SwitchedComparison, different: int) -> None:
    say(
        f"{done.cases:,} cases of one or two forced switches on {engine} and Linux {done.release}: "
        f"{done.cases - different:,} the same, {different:,} not"
    )
    if done.skipped:
        say(f"{done.skipped} cases left out: the kernel had no huge page for them")
    missed = done.missed.total()
    if missed:
        why, times = done.missed.most_common(1)[0]
        say(f"{missed} more could not be followed there, most often ({times}): {why}")


def _record(
    engine: str,
    alone: RealComparison,
    forced: SwitchedComparison,
    found: list[HostDifference],
) -> dict[str, object]:
    return {
        "engine": engine,
        "release": alone.release or forced.release,
        "cases": alone.cases,
        "skipped": alone.skipped,
        "switched": {
            "cases": forced.cases,
            "skipped": forced.skipped,
            "missed": dict(forced.missed),
        },
        "differences": [
            {
                "seed": each.seed,
                "topic": each.topic,
                "engine": each.engine,
                "kernel": each.kernel,
                "case": format_case(each.case),
            }
            for each in found
        ],
    }
