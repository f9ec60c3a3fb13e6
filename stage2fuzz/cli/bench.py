"""``stage2fuzz kernel bench``: schedules a second of a tree on one core, stage by stage."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from stage2fuzz import places
from stage2fuzz.cli.guarded import run_again
from stage2fuzz.cli.options import Json, check_range
from stage2fuzz.cli.output import emit
from stage2fuzz.cli.trees import Cache, PageSize, Tree, granule_of, prepared
from stage2fuzz.engine import kernel_name
from stage2fuzz.kernel.adapter import REFERENCE, KernelEngine
from stage2fuzz.kernel.explore import explore
from stage2fuzz.kernel.native import Native
from stage2fuzz.oracles.judge import judge
from stage2fuzz.process.life import alive
from stage2fuzz.process.wait import POLL_SECONDS

RUNS: Final = 100_000
MAX_RUNS: Final = 100_000_000
FUZZ_SECONDS: Final = 10
PIECE: Final = 10_000
TARGET: Final = "map_race"


def bench(
    tree: Tree,
    cache: Cache = None,
    pages: PageSize = "4k",
    runs: Annotated[int, typer.Option(help="Schedules of each measurement in C.")] = RUNS,
    seconds: Annotated[int, typer.Option(help="Of each fuzzing; 0: none.")] = FUZZ_SECONDS,
    as_json: Json = False,
) -> None:
    """Schedules a second of TREE on one core: engine, folding, judging, fuzzing end to end."""
    check_range("--runs", runs, 1, MAX_RUNS)
    check_range("--seconds", seconds, 0, 3600)
    granule = granule_of(pages)
    library, engine = prepared(tree, cache, granule)
    arguments = [
        "kernel",
        "bench",
        str(tree),
        f"--pages={granule.name}",
        f"--runs={runs}",
        f"--seconds={seconds}",
    ]
    arguments += [] if cache is None else [f"--cache={cache}"]
    run_again("bench", arguments + ["--json"] * as_json, quiet=as_json)
    figures: dict[str, float] = {}
    for name, figure in _measured(kernel_name(tree, granule), engine, runs, seconds):
        figures[name] = figure
        if not as_json:
            print(f"{name:36} {figure:12,.1f}", flush=True)
    if as_json:
        emit({"key": library.key, **figures})


def _measured(
    name: str, engine: KernelEngine, runs: int, seconds: int
) -> Iterator[tuple[str, float]]:
    """(what, figure) as they come: the stages, then fuzzing with and without Atheris."""
    yield from _stages(engine, runs)
    for how, options in (("our own loop", ("--own-loop",)), ("Atheris", ())) if seconds else ():
        for what, figure in _fuzzed(name, options, seconds):
            yield f"{how}, {what}", figure


def _stages(engine: KernelEngine, runs: int) -> Iterator[tuple[str, float]]:
    """The reference scenario, from the bare engine to each run judged."""
    native, scenario = engine.native, REFERENCE
    native.load(scenario)
    for what, alone in (("pgtable.c alone", True), ("with mmu.c", False)):
        yield f"{what}, points a schedule", native.bare(1, 1000, alone) / 1000
        yield f"{what}, schedules/s", _rate(runs, partial(_bare, native, runs, alone))
    classes: list[int] = []

    def folded() -> None:
        for seed, count in _pieces(runs):
            classes.extend(each.seed for each in explore(native, scenario, seed, count))

    yield "folded into classes, schedules/s", _rate(runs, folded)
    yield "of a new class, %", 100 * len(classes) / runs
    few = max(1, runs // 100)

    def judged() -> None:
        for seed in range(1, few + 1):
            alive()
            native.run_seed(seed)
            judge(native.events(), engine.rules, len(scenario.vcpus), scenario.threads)

    yield "each run judged, schedules/s", _rate(few, judged)


def _bare(native: Native, runs: int, alone: bool) -> None:
    for seed, count in _pieces(runs):
        native.bare(seed, count, alone)


def _pieces(runs: int) -> Iterator[tuple[int, int]]:
    """(First seed, how many) of the runs between two signs of life."""
    for seed in range(1, runs + 1, PIECE):
        alive()
        yield seed, min(PIECE, runs + 1 - seed)


def _rate(runs: int, work: Callable[[], object]) -> float:
    """Runs a second of this process's own time, so that what else runs here counts for little."""
    start = time.process_time()
    work()
    return runs / (time.process_time() - start)


def _fuzzed(name: str, options: tuple[str, ...], seconds: int) -> list[tuple[str, float]]:
    """A target's process, end to end: made, run, folded, judged; nothing where it can't be run."""
    with tempfile.TemporaryDirectory(prefix="stage2fuzz-") as folder:
        command = [sys.executable, str(places.TARGETS / f"{TARGET}.py"), f"--engine={name}"]
        command += [*options, f"--outbox={folder}", f"-max_total_time={seconds}", "-seed=1"]
        environment = {**os.environ, "TMPDIR": folder}
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            while process.poll() is None:
                alive()
                time.sleep(POLL_SECONDS)
        if process.returncode:
            return []
        stats = json.loads((Path(folder) / "stats.json").read_text())
    return [
        ("schedules/s", stats["schedules"] / stats["seconds"]),
        ("judged, %", 100 * stats["judged"] / stats["schedules"]),
    ]
