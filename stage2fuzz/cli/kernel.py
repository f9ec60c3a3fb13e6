"""``stage2fuzz kernel``: build a tree, plant faults in a copy of it, measure it."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from stage2fuzz.cli.common import Json, console, emit
from stage2fuzz.errors import InputError
from stage2fuzz.events import Event
from stage2fuzz.kernel.adapter import REFERENCE, KernelEngine
from stage2fuzz.kernel.build import Library, build
from stage2fuzz.kernel.explore import Child, explore
from stage2fuzz.kernel.mutants import BATCH, PROVING_GROUND, ROUNDS, run_mutants
from stage2fuzz.oracles.judge import judge
from stage2fuzz.rules import Rules
from stage2fuzz.series import FAULTS

app = typer.Typer(
    help="The user's own kernel code as an engine.", no_args_is_help=True, rich_markup_mode=None
)
Tree = Annotated[Path, typer.Argument(help="A Linux tree, or a folder with its arch/arm64.")]
Cache = Annotated[Path | None, typer.Option(help="Where built libraries are kept.")]
BENCH_RUNS: Final = 100_000
EXPLORED: Final = 50_000
"""Schedules of one scenario between two looks at the clock."""
JUDGED: Final = 200
"""Runs of those that are judged at most: tripped wires first, then new classes."""
MAX_SECONDS: Final = 7 * 24 * 3600


@app.command("build")
def build_tree(tree: Tree, cache: Cache = None, as_json: Json = False) -> None:
    """Build the engine of TREE, prove it, and say what is the user's code and what is modelled."""
    library, engine = _prepared(tree, cache)
    if as_json:
        emit(
            {
                "key": library.key,
                "compiler": library.compiler,
                "library": str(library.path),
                "probes": library.probes,
                "yours": list(library.real),
                "modelled": list(library.modelled),
                "rules": asdict(engine.rules),
            }
        )
        return
    out = console()
    out.print(f"key       {library.key}{' (from the cache)' if library.cached else ''}")
    out.print(f"compiler  {library.compiler}")
    out.print(f"found     {', '.join(sorted(library.has)) or 'no feature beyond the oldest'}")
    out.print("yours, unmodified:")
    for name in library.real:
        out.print(f"  {name}")
    out.print("modelled, not yours:")
    for name in library.modelled:
        out.print(f"  {name}")
    out.print("proved    plain loads are announced, the smoke program finishes every access")


@app.command("mutants")
def mutants(
    tree: Tree,
    cache: Cache = None,
    only: Annotated[list[str] | None, typer.Option(help="Plant only these faults.")] = None,
    as_json: Json = False,
) -> None:
    """Plant faults in a copy of TREE and say which oracle found each, after how many schedules."""
    budget = ROUNDS * BATCH * len(PROVING_GROUND)
    results = []
    table = Table(box=None, padding=(0, 2))
    for title in ("fault", "schedules", "found by"):
        table.add_column(title)
    for result in run_mutants(tree, _signatures, cache, only or ()):
        results.append(result)
        found = result.found_by or "NOTHING"
        table.add_row(
            result.fault,
            str(result.schedules) if result.planted else "-",
            found if result.planted else "not for this tree",
        )
    planted = [result for result in results if result.planted]
    missed = [result for result in planted if not result.found_by]
    if as_json:
        emit([asdict(result) for result in results])
    else:
        out = console()
        out.print(table)
        found_count = len(planted) - len(missed)
        out.print(f"{found_count} of {len(planted)} found; budget {budget} schedules each")
    if missed:
        raise typer.Exit(1)


@app.command("explore")
def explore_tree(
    tree: Tree,
    cache: Cache = None,
    seconds: Annotated[int, typer.Option(help="How long.")] = 60,
    seed: Annotated[int, typer.Option(help="Seed of the first schedule.")] = 1,
    as_json: Json = False,
) -> None:
    """Run millions of random schedules of the series' scenarios in C, and judge each new class."""
    if not 1 <= seconds <= MAX_SECONDS:
        raise InputError("--seconds", f"{seconds} is out of range", f"1 to {MAX_SECONDS}")
    library, engine = _prepared(tree, cache)
    scenarios = list(dict.fromkeys(fault.scenario for fault in FAULTS))
    told = {"runs": 0, "classes": 0, "judged": 0, "folded": 0}
    found: dict[str, int] = {}
    child, end = Child(library.path), time.monotonic() + seconds
    with console().status("") as status:
        while time.monotonic() < end:
            for scenario in scenarios:
                batch = child.explore(scenario, seed, EXPLORED, JUDGED)
                told["runs"] += batch.runs
                told["classes"] += batch.classes
                told["judged"] += len(batch.kept)
                vcpus, threads = len(scenario.vcpus), scenario.threads
                for kept in batch.kept:
                    for _, name in _signatures(kept.trace.events, engine.rules, vcpus, threads):
                        found[name] = found.get(name, 0) + 1
            seed += EXPLORED
            status.update(f"{told['runs']:,} schedules, {len(found)} signatures")
    child.close()
    told["folded"] = told["runs"] - told["judged"]
    if as_json:
        emit({"key": library.key, **told, "signatures": found})
    else:
        out = console()
        for name, figure in told.items():
            out.print(f"{name:10}{figure:>14,}")
        for name, times in sorted(found.items()):
            out.print(f"{times:>8} times  {name}", markup=False)
    raise typer.Exit(1 if found else 0)


@app.command("bench")
def bench(tree: Tree, cache: Cache = None, runs: int = BENCH_RUNS, as_json: Json = False) -> None:
    """Schedules a second of TREE on one core: bare, folded into classes, judged."""
    library, engine = _prepared(tree, cache)
    native, scenario = engine.native, REFERENCE
    native.load(scenario)
    figures: dict[str, float] = {}
    start = time.perf_counter()
    steps = native.bare(1, runs)
    figures["bare"] = runs / (time.perf_counter() - start)
    figures["points a schedule"] = steps / runs
    start = time.perf_counter()
    batch = explore(native, scenario, 1, runs, room=1)
    figures["folded into classes"] = batch.runs / (time.perf_counter() - start)
    figures["new classes, %"] = 100 * batch.classes / batch.runs
    judged = max(1, runs // 100)
    start = time.perf_counter()
    for seed in range(1, judged + 1):
        native.run_seed(seed)
        judge(native.events(), engine.rules, len(scenario.vcpus), scenario.threads)
    figures["every run judged"] = judged / (time.perf_counter() - start)
    if as_json:
        emit({"key": library.key, **figures})
        return
    for name, figure in figures.items():
        console().print(f"{name:22} {figure:12,.1f}")


def _prepared(tree: Path, cache: Path | None) -> tuple[Library, KernelEngine]:
    library = build(tree, cache)
    engine = KernelEngine(library)
    engine.prove()
    return library, engine


def _signatures(
    events: list[Event], rules: Rules, vcpus: int, threads: int
) -> list[tuple[str, str]]:
    return [(each.oracle, each.signature) for each in judge(events, rules, vcpus, threads)]
