"""``stage2fuzz kernel mutants``: which oracle sees each planted fault, after how many schedules."""

from dataclasses import asdict
from typing import Annotated, Final

import typer

from stage2fuzz.cli.exits import FOUND
from stage2fuzz.cli.options import Jobs, Json, check_range, cores
from stage2fuzz.cli.output import emit, say
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.cli.trees import Cache, Tree
from stage2fuzz.kernel.faults import FAULTS
from stage2fuzz.studies.hunt.mutants import ROUNDS, MutantResult, budget, run_mutants

MAX_ROUNDS: Final = 1000
WIDTH: Final = max(len(fault.name) for fault in FAULTS)


def mutants(
    tree: Tree,
    cache: Cache = None,
    only: Annotated[list[str] | None, typer.Option(help="Plant only these faults.")] = None,
    jobs: Jobs = 0,
    rounds: Annotated[int, typer.Option(help="How often each scenario has its turn.")] = ROUNDS,
    as_json: Json = False,
) -> None:
    """Plant faults in a copy of TREE and say which oracle found each, after how many schedules."""
    check_range("--rounds", rounds, 1, MAX_ROUNDS)
    results: list[MutantResult] = []
    with ProgressLine(as_json) as progress:
        for result in run_mutants(tree, cache, only or (), cores(jobs), rounds):
            results.append(result)
            done = len(results) / len(only or FAULTS)
            progress.update(f"{len(results)} faults done", done)
            if not as_json:
                print(_line(result), flush=True)
    planted = [result for result in results if result.planted]
    missed = [result for result in planted if not result.found_by]
    if as_json:
        emit([asdict(result) for result in results])
    else:
        most = max((result.schedules for result in planted if result.found_by), default=0)
        say(
            f"{len(planted) - len(missed)} of {len(planted)} found, the last after {most:,} "
            f"schedules; budget {budget(rounds):,} each"
        )
    raise typer.Exit(FOUND if missed else 0)


def _line(result: MutantResult) -> str:
    if not result.planted:
        return f"{result.fault:{WIDTH}} {'-':>8}  not for this tree"
    return f"{result.fault:{WIDTH}} {result.schedules:>8,}  {result.found_by or 'NOTHING'}"
