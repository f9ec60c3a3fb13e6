"""stage2fuzz compare --real: our model of the host held against a real kernel."""

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

        def told(done: RealComparison) -> None:
            line = f"{done.cases} cases, {len(found)} differ"
            progress.update(line, min(1.0, (time.monotonic() - begun) / seconds))

        done = against(engine, image, seconds, seed, found.append, told)
    if output is not None:
        for each in found:
            write(output / f"difference-{each.seed}.case", format_case(each.case))
    if as_json:
        emit(_record(engine, done, found))
    else:
        say(
            f"{done.cases:,} sequential cases on {engine} and Linux {done.release}: "
            f"{done.cases - len(found):,} the same, {len(found):,} not"
        )
        for each in found[:SHOWN]:
            for line in differences_in_words(each, engine, done.release):
                say(line)
            for line in format_case(each.case).splitlines()[1:-1]:
                say(f"    {line}")
        if done.skipped:
            say(f"{done.skipped} cases left out: the kernel had no huge page for them")
    raise typer.Exit(1 if found else 0 if done.cases else 3)


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
