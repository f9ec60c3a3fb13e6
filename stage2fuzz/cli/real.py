"""stage2fuzz compare --real: our model of the host held against a real kernel."""

import sys
import time
from pathlib import Path

import typer

from stage2fuzz.case.text import format_case
from stage2fuzz.cli.output import emit, say, write
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.confirm.against import HostDifference, RealComparison, against, differences_in_words

SHOWN = 20


def compare_real(
    engine: str, image: Path, seconds: int, seed: int, output: Path | None, as_json: bool
) -> None:
    """Random sequential cases on both; print and keep the differences; exit 1 if there are any."""
    found: list[HostDifference] = []
    begun = time.monotonic()
    with ProgressLine(as_json) as progress:

        def differs(difference: HostDifference) -> None:
            """Keep it at once: hours of work end by a key as well."""
            found.append(difference)
            if output is not None:
                path = output / f"difference-{difference.seed}.case"
                write(path, format_case(difference.case))
            if not as_json and len(found) <= SHOWN:
                _show(difference, engine)

        def told(done: RealComparison) -> None:
            line = f"{done.cases} cases, {len(found)} differ"
            progress.update(line, min(1.0, (time.monotonic() - begun) / seconds))

        done = against(engine, image, seconds, seed, differs, told)
    if as_json:
        emit(_record(engine, done, found))
    else:
        rate = done.cases * 60 / (time.monotonic() - begun)
        say(
            f"{done.cases:,} sequential cases on {engine} and Linux {done.release}, {rate:,.0f} a "
            f"minute: {done.cases - len(found):,} the same, {len(found):,} not"
        )
        if done.skipped:
            say(f"{done.skipped} cases left out: the kernel had no huge page for them")
    raise typer.Exit(1 if found else 0 if done.cases else 3)


def _show(difference: HostDifference, engine: str) -> None:
    for line in differences_in_words(difference, engine):
        say(line)
    for line in format_case(difference.case).splitlines()[1:-1]:
        say(f"    {line}")
    sys.stdout.flush()


def _record(engine: str, done: RealComparison, found: list[HostDifference]) -> dict[str, object]:
    return {
        "engine": engine,
        "release": done.release,
        "cases": done.cases,
        "skipped": done.skipped,
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
