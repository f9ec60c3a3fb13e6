"""``stage2fuzz kernel``: build a tree, plant faults in a copy of it, measure it."""

import time
from dataclasses import asdict
from typing import Final

import typer

from stage2fuzz.cli import hunt, mutants
from stage2fuzz.cli.common import Json, console, emit
from stage2fuzz.cli.trees import Cache, Tree, prepared
from stage2fuzz.kernel.adapter import REFERENCE
from stage2fuzz.kernel.explore import explore
from stage2fuzz.oracles.judge import judge

app = typer.Typer(
    help="The user's own kernel code as an engine.", no_args_is_help=True, rich_markup_mode=None
)
BENCH_RUNS: Final = 100_000


@app.command("build")
def build_tree(tree: Tree, cache: Cache = None, as_json: Json = False) -> None:
    """Build the engine of TREE, prove it, and say what is the user's code and what is modelled."""
    library, engine = prepared(tree, cache)
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


app.command("mutants")(mutants.mutants)
app.command("explore")(hunt.explore)


@app.command("bench")
def bench(tree: Tree, cache: Cache = None, runs: int = BENCH_RUNS, as_json: Json = False) -> None:
    """Schedules a second of TREE on one core: bare, folded into classes, judged."""
    library, engine = prepared(tree, cache)
    native, scenario = engine.native, REFERENCE
    native.load(scenario)
    figures: dict[str, float] = {}
    start = time.perf_counter()
    steps = native.bare(1, runs)
    figures["bare"] = runs / (time.perf_counter() - start)
    figures["points a schedule"] = steps / runs
    start = time.perf_counter()
    classes = sum(1 for _ in explore(native, scenario, 1, runs))
    figures["folded into classes"] = runs / (time.perf_counter() - start)
    figures["new classes, %"] = 100 * classes / runs
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
